// Owns a shard's step as it travels.
import { z } from 'zod';
import type { ShardStep } from '../engine/executor.js';
import type { LabelledRows, UnlabelledRows } from '../engine/tasks.js';
import { binary, count, float, list, MOST_CLASSES, model, probability } from './fields.js';

/** A part that is left out is null on the wire, since undefined is not a value there, and floats are numbers. */
export type WireStep = Omit<ShardStep, 'labelled' | 'unlabelled'> & {
  readonly labelled: LabelledRows | null;
  readonly unlabelled: (Omit<UnlabelledRows, 'logitShift'> & { readonly logitShift: readonly number[] | null }) | null;
};

export const step: z.ZodType<WireStep> = z.strictObject({
  model,
  seed: count.max(Number.MAX_SAFE_INTEGER),
  stage: count,
  step: count,
  shard: count,
  shards: count.min(1),
  labelled: z.strictObject({ images: binary, labels: binary }).nullable(),
  labelledBatch: count,
  unlabelled: z
    .strictObject({
      batch: count,
      factor: float,
      pseudoLabels: z.enum(['stored', 'fresh']),
      logitShift: list(float, MOST_CLASSES).nullable(),
      masses: z.enum(['plain', 'shifted']),
      threshold: probability,
      noise: float.min(0),
    })
    .nullable(),
});

export function toWire(of: ShardStep): WireStep {
  const shift = of.unlabelled?.logitShift;
  const unlabelled = of.unlabelled && { ...of.unlabelled, logitShift: shift ? [...shift] : null };
  return { ...of, labelled: of.labelled ?? null, unlabelled: unlabelled ?? null };
}

export function fromWire(of: WireStep): ShardStep {
  const shift = of.unlabelled?.logitShift;
  const logitShift = shift ? Float32Array.from(shift) : undefined;
  return {
    ...of,
    labelled: of.labelled ?? undefined,
    unlabelled: of.unlabelled ? { ...of.unlabelled, logitShift } : undefined,
  };
}
