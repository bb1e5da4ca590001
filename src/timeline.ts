// Owns the shape of what was done when: the calls that a coordinator makes, and in each the tasks of the workers, on one clock.

/**
 * What a worker can be seen doing. `backward` writes the gradient slot on its way, or updates by hidden units; `update` sums the slots and
 * applies the optimizer; `wait`: for the gradient at the logits, by hidden units.
 */
export const PARTS = ['input', 'forward', 'wait', 'backward', 'update', 'predict'] as const;
export type Part = (typeof PARTS)[number];

/** One task of a worker. Times in milliseconds on the clock of src/clock.ts. */
export interface TimedTask {
  /** Names the worker among those of its node. */
  readonly worker: number;
  readonly began: number;
  readonly ended: number;
  /** Milliseconds of its parts, in the order in which they were done. */
  readonly parts: readonly (readonly [part: Part, milliseconds: number])[];
}

/** One call of a node, from the question to the last answer. */
export interface Call {
  readonly kind: 'gradients' | 'update' | 'slices' | 'predict';
  readonly called: number;
  readonly answered: number;
  /** Of its first shard's task; undefined where a call belongs to no step. */
  readonly step: { readonly stage: number; readonly step: number } | undefined;
  readonly tasks: readonly TimedTask[];
}
