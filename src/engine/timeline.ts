// What was done when: the calls that a coordinator makes, and in each the tasks of the workers, on one clock.

/**
 * What a worker can be seen doing. `backward` writes the gradient buffer on its way, or updates tensor parallel; `update` sums the gradient buffers and
 * applies the optimizer; `wait`: for what comes from elsewhere, tensor parallel the gradient at the logits.
 */
export const PARTS = ['input', 'forward', 'wait', 'backward', 'update', 'predict'] as const;
export type Part = (typeof PARTS)[number];

/** One task of a worker. Times in milliseconds on the clock of src/clock.ts. */
export interface TimedTask {
  /** Names the worker among those of its executor. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
  /** Milliseconds of its parts, in the order in which they were done. */
  readonly parts: readonly (readonly [part: Part, milliseconds: number])[];
}

/** One call of an executor, from the question to the last answer. */
export interface Call {
  readonly kind: 'gradients' | 'update' | 'tensor-step' | 'predict';
  readonly called: number;
  readonly answered: number;
  /** Of its first shard's task; undefined where a call belongs to no step. */
  readonly step: { readonly stage: number; readonly step: number } | undefined;
  readonly tasks: readonly TimedTask[];
}

/**
 * What the main thread of a process does for other processes, or waits for, while its workers have no task. `update`: adds up the gradients of
 * several, where that is no task; `serialise`: encodes what is sent and puts what has come where it belongs; `send`: until the socket, or the
 * rank, has taken it.
 */
export const ACTIVITIES = ['update', 'serialise', 'send', 'wait'] as const;

/** A stretch of it, on the same clock as the calls. */
export interface Activity {
  readonly kind: (typeof ACTIVITIES)[number];
  readonly began: number;
  readonly ended: number;
}
