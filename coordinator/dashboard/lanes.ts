// Records what each worker has been doing lately, from the calls of its executor, and what each node has been doing,
// from looks at it several times a second.
import type { NodeNow } from '../executors/cluster/status.js';
import type { LaneNews, NodeNews } from './messages.js';

/** One answered call of an executor. Times in milliseconds. */
export interface ObservedCall {
  readonly answered: number;
  readonly tasks: readonly {
    readonly worker: number;
    readonly parts: readonly (readonly [part: string, milliseconds: number])[];
  }[];
}

const WINDOW_MS = 2000;
/** A worker that has done nothing for this time counts as gone. */
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

  /** Returns the shares of time of each worker, in the order of the workers. */
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

/** The most nodes that are shown after they have gone: the last ones. */
const MOST_GONE = 16;

export class NodeLanes {
  private looks: { readonly at: number; readonly nodes: readonly NodeNow[] }[] = [];
  private gone: string[] = [];

  /** nodes: returns the nodes that are there now. */
  constructor(private readonly nodes: () => readonly NodeNow[]) {}

  look(at: number): void {
    this.looks.push({ at, nodes: this.nodes() });
    this.looks = this.looks.filter((look) => look.at > at - WINDOW_MS);
  }

  joined(name: string): void {
    this.gone = this.gone.filter((each) => each !== name);
  }

  left(name: string): void {
    this.gone = [...this.gone, name].slice(-MOST_GONE);
  }

  /**
   * Returns the nodes, sorted by name. The shares are those of the looks since the node joined, in the last two seconds
   * at most.
   */
  news(): NodeNews[] {
    const now = this.nodes().map(({ name, doing }) => ({ name, doing, shares: this.shares(name) }));
    const gone = this.gone.map((name) => ({ name, doing: 'gone' as const, shares: [] }));
    return [...now, ...gone].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private shares(name: string): NodeNews['shares'] {
    const seen = this.looks.flatMap(({ nodes }) => nodes.filter((node) => node.name === name));
    const counts = new Map<string, number>();
    for (const { doing } of seen) counts.set(doing, (counts.get(doing) ?? 0) + 1);
    return [...counts].map(([doing, count]) => [doing, count / seen.length]);
  }
}
