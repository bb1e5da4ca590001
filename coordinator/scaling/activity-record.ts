// Records what a process does while it is measured: the calls of its executor, and what its main thread sends, receives
// and waits for.
import { readFileSync } from 'node:fs';
import { clock } from '../../src/clock.js';
import type { Collective, Piece } from '../../src/collectives/collective.js';
import type { Activity, Call } from '../../src/engine/timeline.js';
import type { Answer } from '../../src/models/tasks.js';
import type { BulkTag, Channel, ChannelListener, Message } from '../../src/protocol/channel.js';
import { computing, exclusive, type Split, splitOf, until } from '../../src/scaling/time-split.js';
import type { TensorSteps } from '../../worker/tensor-steps.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import {
  gradientParts,
  type PartsOf,
  predictParts,
  tasksOf,
  tensorParts,
  updateParts,
} from '../executors/traced-executor.js';

/** What a process did in an interval. */
export interface Account {
  /** Milliseconds of all its workers together. */
  readonly split: Split;
  /**
   * Milliseconds in tasks without waits, and CPU milliseconds of the threads. The difference is time without a core.
   */
  readonly inTasks: number;
  readonly computed: number;
}

export class ActivityRecord {
  private calls: Call[] = [];
  private activities: Activity[] = [];
  /** The time when the main thread last worked for other processes. */
  private last = clock();
  private computed = computedByOthers();

  /** Deletes the record, and begins a new one. */
  clear(): void {
    this.calls = [];
    this.activities = [];
    this.last = clock();
    this.computed = computedByOthers();
  }

  called(call: Call): void {
    this.calls.push(call);
  }

  async sending(send: () => Promise<void>): Promise<void> {
    const began = clock();
    const sent = send();
    const handedOver = clock();
    this.note('serialise', began, handedOver);
    try {
      await sent;
    } finally {
      this.note('send', handedOver, clock());
    }
  }

  /** Records that a message arrived. The main thread has waited since it last worked for other processes. */
  arriving(take: () => void): void {
    const began = clock();
    this.note('wait', this.last, began);
    take();
    this.note('serialise', began, clock());
  }

  /**
   * Returns what the process did from `began` until `ended`. A node's last update may end later, because nothing waits
   * for it.
   */
  account(workers: number, began: number, ended: number): Account {
    const calls = this.calls.filter(({ called }) => called < ended).map((call) => until(call, ended));
    const activities = exclusive(this.activities.map((activity) => afterCall(activity, calls)));
    const { split } = splitOf({ workers, began, ended, calls, activities });
    return { split, inTasks: computing(calls), computed: computedByOthers() - this.computed };
  }

  note(kind: Activity['kind'], began: number, ended: number): void {
    this.activities.push({ kind, began, ended });
    this.last = ended;
  }
}

/**
 * Returns the CPU milliseconds of all threads except the main one, or of all threads if the system does not count by
 * thread.
 */
function computedByOthers(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3 - mainThread();
}

/**
 * Returns the CPU milliseconds of the main thread, which has the process id in /proc. Returns 0 if the system is not
 * Linux.
 */
function mainThread(): number {
  try {
    return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ', 1)[0]) / 1e6;
  } catch {
    return 0;
  }
}

/**
 * Shortens a wait to begin at the main thread's own call. It did not wait before that, even if the next event was an
 * arrival.
 */
function afterCall(activity: Activity, calls: readonly Call[]): Activity {
  if (activity.kind !== 'wait') return activity;
  const call = calls.findLast(({ called }) => called > activity.began && called < activity.ended);
  return call ? { ...activity, began: call.called } : activity;
}

/** Records all calls of the executor, also those that only a cluster or a host makes. Returns the same executor. */
export function traced(node: ThreadExecutor, record: ActivityRecord): ThreadExecutor {
  const watched =
    <A extends unknown[], R extends Answer>(
      kind: Call['kind'],
      call: (...asked: A) => Promise<R[]>,
      partsOf: PartsOf<R>,
    ) =>
    async (...asked: A): Promise<R[]> => {
      const called = clock();
      const results = await call.apply(node, asked);
      record.called({ kind, called, answered: clock(), step: undefined, tasks: tasksOf(results, partsOf) });
      return results;
    };
  traceTensorShards(node.tensor, record);
  return Object.assign(node, {
    computeGradients: watched('gradients', node.computeGradients, gradientParts),
    predict: watched('predict', node.predict, predictParts),
    updateByTotal: watched('update', node.updateByTotal, updateParts),
  });
}

/**
 * Records tensor-parallel calls. A call lasts from the forward pass to the end of the backward pass, because workers do
 * both in one task.
 */
function traceTensorShards(tensor: TensorSteps, record: ActivityRecord): void {
  const forward = tensor.forward.bind(tensor);
  const backward = tensor.backward.bind(tensor);
  let called = 0;
  const watching: Pick<TensorSteps, 'forward' | 'backward'> = {
    forward: (...asked) => {
      called = clock();
      return forward(...asked);
    },
    backward: async (gradient) => {
      const results = await backward(gradient);
      const tasks = tasksOf(results, tensorParts);
      record.called({ kind: 'tensor-step', called, answered: clock(), step: undefined, tasks });
      return results;
    },
  };
  Object.assign(tensor, watching);
}

/** A channel that records all messages. */
export class TracedChannel<Out extends Message, In extends Message> implements Channel<Out, In> {
  constructor(
    private readonly channel: Channel<Out, In>,
    private readonly record: ActivityRecord,
  ) {}

  get peer(): string {
    return this.channel.peer;
  }

  get traffic(): Channel<Out, In>['traffic'] {
    return this.channel.traffic;
  }

  listen(listener: ChannelListener<In>): void {
    this.channel.listen({
      message: (message) => this.record.arriving(() => listener.message(message)),
      bulk: (tag, payload) => this.record.arriving(() => listener.bulk(tag, payload)),
      closed: (reason) => listener.closed(reason),
    });
  }

  send(message: Out): Promise<void> {
    return this.record.sending(() => this.channel.send(message));
  }

  sendBulk(tag: BulkTag, payload: Uint8Array): Promise<void> {
    return this.record.sending(() => this.channel.sendBulk(tag, payload));
  }

  close(reason?: Parameters<Channel<Out, In>['close']>[0]): void {
    this.channel.close(reason);
  }
}

export class TracedCollective implements Collective {
  readonly rank: number;
  readonly size: number;
  /** The number of bytes that this rank has sent so far. A sum counts as in a ring. */
  sentBytes = 0;
  /** The time when the last collective call ended. */
  private last = clock();

  constructor(
    private readonly collective: Collective,
    private readonly record: ActivityRecord,
  ) {
    this.rank = collective.rank;
    this.size = collective.size;
  }

  broadcast(bytes: Uint8Array): Promise<void> {
    if (this.rank > 0) return this.noting('wait', () => this.collective.broadcast(bytes));
    this.sentBytes += bytes.length * (this.size - 1);
    return this.noting('send', () => this.collective.broadcast(bytes));
  }

  /** Records a call that sends and receives as a wait, because it ends with what it receives. */
  exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void> {
    const kind = receives.length > 0 ? 'wait' : 'send';
    return this.noting(kind, () => this.collective.exchange(this.made(sends), receives));
  }

  /** Records a sum. Only gradients are summed, and right before that, this rank has added up its own. */
  sum(values: Float32Array): Promise<void> {
    this.record.note('update', this.last, clock());
    this.sentBytes += Math.round((values.byteLength * 2 * (this.size - 1)) / this.size);
    return this.noting('wait', () => this.collective.sum(values));
  }

  close(): void {
    this.collective.close();
  }

  /** Records how pieces of a sum are added up, which happens when they are taken. */
  private *made(sends: Iterable<Piece>): Generator<Piece> {
    let began = clock();
    for (const piece of sends) {
      this.record.note('update', began, clock());
      this.sentBytes += piece.bytes.length;
      yield piece;
      began = clock();
    }
    this.record.note('update', began, clock());
  }

  private async noting(kind: Activity['kind'], act: () => Promise<void>): Promise<void> {
    const began = clock();
    try {
      await act();
    } finally {
      this.last = clock();
      this.record.note(kind, began, this.last);
    }
  }
}
