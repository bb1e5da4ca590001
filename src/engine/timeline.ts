// The timeline of a run: the calls of a coordinator, and the workers' tasks in each, on one clock.

/**
 * The parts of a worker's task. `backward` also writes the gradient buffer, or, tensor parallel, updates. `update` sums
 * the gradient buffers and applies the optimizer. `wait` waits for what comes from elsewhere: tensor parallel, the
 * gradient at the logits.
 */
export const PARTS = ['input', 'forward', 'wait', 'backward', 'update', 'predict'] as const;
export type Part = (typeof PARTS)[number];

/** One task of a worker. Times are in milliseconds on the clock of src/clock.ts. */
export interface TimedTask {
  /** The number of the worker within its executor. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
  /** The milliseconds of its parts, in the order in which they were done. */
  readonly parts: readonly (readonly [part: Part, milliseconds: number])[];
}

/** One call of an executor, from the request to the last answer. */
export interface Call {
  readonly kind: 'gradients' | 'update' | 'tensor-step' | 'predict';
  readonly called: number;
  readonly answered: number;
  /** The step of its first shard's task. undefined if the call belongs to no step. */
  readonly step: { readonly stage: number; readonly step: number } | undefined;
  readonly tasks: readonly TimedTask[];
}

/**
 * What the main thread of a process does for other processes, or waits for, while its workers have no task. `update`
 * adds up the gradients of several processes, if no task does. `serialise` encodes what is sent, and stores what was
 * received. `send` lasts until the socket or the rank has taken it.
 */
export const ACTIVITIES = ['update', 'serialise', 'send', 'wait'] as const;

/** A period of one activity, on the same clock as the calls. */
export interface Activity {
  readonly kind: (typeof ACTIVITIES)[number];
  readonly began: number;
  readonly ended: number;
}
