// Runs the threads that decode images. If a thread is lost, for example for lack of memory, the images of its task are
// decoded again one by one, so that the error can name the image that caused it.
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { Piscina } from 'piscina';
import { PseudolabelError } from '../src/errors.js';
import { built } from '../src/files/read.js';
import type { DecodeResult, DecodeTask } from './decode-entry.js';
import { IMPORTING, isLostThread } from './thread-pool.js';

/** The deadline of a task. A task of the largest images may take this long; one that takes longer is stuck. */
const TASK_DEADLINE_MS = 600_000;

export class DecodePool {
  private constructor(
    private readonly threads: Piscina,
    readonly size: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    threads.on('error', () => undefined); // The code that waits for the task gets the error.
  }

  /** Starts threads. signal: ends the tasks in progress. Throws E_NATIVE if sharp does not load. */
  static async start(size = availableParallelism(), signal?: AbortSignal): Promise<DecodePool> {
    try {
      // The libraries of sharp only stay loaded if the main thread loads them before the others (sharp's installation
      // notes).
      await import('sharp');
    } catch (cause) {
      const message = `sharp, which decodes pictures, does not load: ${cause instanceof Error ? cause.message.split('\n')[0] : cause}`;
      const fix =
        'Install the dependencies again, optional ones too (npm ci --include=optional), or pack the data elsewhere.';
      throw new PseudolabelError('E_NATIVE', message, fix, { cause });
    }
    const threads = new Piscina({
      filename: fileURLToPath(built('worker/decode-entry.js')),
      name: 'decode',
      minThreads: size,
      maxThreads: size,
      execArgv: [...process.execArgv, ...IMPORTING],
    });
    return new DecodePool(threads, size, signal);
  }

  /** Runs a task. Throws the reason of the signal when it aborts, and E_TIMEOUT. */
  async run(task: DecodeTask): Promise<DecodeResult> {
    const deadline = AbortSignal.timeout(TASK_DEADLINE_MS);
    const signal = this.signal ? AbortSignal.any([this.signal, deadline]) : deadline;
    try {
      return (await this.threads.run(task, { name: 'decode', signal })) as DecodeResult;
    } catch (error) {
      this.signal?.throwIfAborted();
      if (deadline.aborted) {
        const fix = 'The machine may be overloaded, or a disk does not answer: try again.';
        throw new PseudolabelError('E_TIMEOUT', `pictures took more than ${TASK_DEADLINE_MS / 1000} s`, fix);
      }
      if (!isLostThread(error)) throw PseudolabelError.revive(error);
      return this.oneByOne(task);
    }
  }

  async close(): Promise<void> {
    await this.threads.destroy();
  }

  private async oneByOne(task: DecodeTask): Promise<DecodeResult> {
    const { pictures, first } = task;
    if ('store' in pictures || pictures.length === 1) return lostResult('store' in pictures ? pictures.count : 1);
    const results: DecodeResult[] = [];
    for (const [i, picture] of pictures.entries())
      results.push(await this.run({ ...task, pictures: [picture], first: first + i }));
    return results.reduce(joined);
  }
}

const lostResult = (count: number): DecodeResult => ({
  sizes: {},
  otherSize: undefined,
  grey: 0,
  colour: 0,
  losses: {},
  milliseconds: 0,
  bad: Array.from({ length: count }, (_, picture) => ({
    picture,
    why: 'a thread ended while it was decoded, for want of memory perhaps',
  })),
});

/** Joins two results. right: the result of the one image after those of left. */
function joined(left: DecodeResult, right: DecodeResult): DecodeResult {
  const at = left.grey + left.colour + left.bad.length;
  return {
    sizes: summed(left.sizes, right.sizes),
    otherSize: left.otherSize ?? (right.otherSize === undefined ? undefined : at),
    grey: left.grey + right.grey,
    colour: left.colour + right.colour,
    losses: summed(left.losses, right.losses),
    bad: [...left.bad, ...right.bad.map(({ why }) => ({ picture: at, why }))],
    milliseconds: left.milliseconds + right.milliseconds,
  };
}

export function summed(left: Readonly<Record<string, number>>, right: Readonly<Record<string, number>>) {
  const sum: Record<string, number> = { ...left };
  for (const [name, count] of Object.entries(right)) sum[name] = (sum[name] ?? 0) + count;
  return sum;
}
