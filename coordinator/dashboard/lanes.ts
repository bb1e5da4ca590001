// Owns what each worker has been doing lately, from the calls of its node.
import type { LaneNews } from './messages.js';

/** One answered call of a node. Times in milliseconds. */
export interface ObservedCall {
  readonly answered: number;
  readonly tasks: readonly {
    readonly worker: number;
    readonly parts: readonly (readonly [part: string, milliseconds: number])[];
  }[];
}

const WINDOW_MS = 2000;
/** A worker that did nothing for so long is no longer there. */
const GONE_MS = 10_000;

export class Lanes {
  private calls: ObservedCall[] = [];
  private readonly seen = new Map<number, number>();

  /** found: is told of each worker that is seen for the first time. */
  constructor(private readonly found: (worker: number) => void) {}

  traced(call: ObservedCall): void {
    this.calls.push(call);
    for (const { worker } of call.tasks) {
      if (!this.seen.has(worker)) this.found(worker);
      this.seen.set(worker, call.answered);
    }
    const first = this.calls.findIndex(({ answered }) => answered > call.answered - WINDOW_MS);
    if (first > 0) this.calls = this.calls.slice(first);
  }

  /** By worker. */
  shares(): LaneNews[] {
    const last = this.calls.at(-1)?.answered ?? 0;
    const window = Math.min(WINDOW_MS, last - (this.calls[0]?.answered ?? last)) || WINDOW_MS;
    const workers = [...this.seen].filter(([, at]) => at > last - GONE_MS).map(([worker]) => worker);
    return workers
      .sort((a, b) => a - b)
      .map((worker) => ({
        worker,
        shares: [...this.sums(worker)].map(([part, ms]) => [part, Math.min(1, ms / window)]),
      }));
  }

  private sums(worker: number): Map<string, number> {
    const sums = new Map<string, number>();
    for (const { tasks } of this.calls) {
      for (const task of tasks) {
        if (task.worker !== worker) continue;
        for (const [part, milliseconds] of task.parts) sums.set(part, (sums.get(part) ?? 0) + milliseconds);
      }
    }
    return sums;
  }
}
