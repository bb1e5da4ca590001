// The schema of scaling.json. A report checks it, since somebody else may have written the file.
import { z } from 'zod';
import { SHARES, type Split } from '../scaling/time-split.js';

const estimate = z.object({ value: z.number(), low: z.number().optional(), high: z.number().optional() });
/** A part that an older version did not know took no time. */
const split = z.record(z.string(), z.number()).transform((parts): Split => {
  return Object.fromEntries(SHARES.map((share) => [share, parts[share] ?? 0])) as unknown as Split;
});
const undetermined = z.object({ kind: z.literal('undetermined'), needs: z.number(), has: z.number() });
const perCollective = z.object({ star: z.number(), tree: z.number() });

const row = z.object({
  workers: z.int().min(1),
  millisecondsPerStep: estimate,
  imagesPerSecond: estimate,
  speedUp: estimate,
  efficiency: estimate,
  serialFraction: z.number().optional(),
  split,
  splitError: z.number(),
  withoutCore: z.number(),
  wireBytes: z.number().default(0),
  loss: split,
  oneWorkerOfThreads: z.object({ millisecondsPerStep: estimate, speedUp: estimate }).optional(),
  doubts: z.array(z.string()),
});

const phase = z.object({
  phase: z.string().regex(/^[a-z]+$/),
  rounds: z.array(z.unknown()),
  traffic: z.record(z.string(), z.object({ moved: z.number() })),
  rows: z.array(row).min(1),
  amdahl: z
    .union([
      undetermined,
      z.object({ kind: z.literal('amdahl'), sigma: z.number(), error: z.number(), limit: z.number().optional() }),
    ])
    .optional(),
  universal: z
    .union([
      undetermined,
      z.object({
        kind: z.literal('universal'),
        sigma: z.number(),
        kappa: z.number(),
        error: z.number(),
        bestWorkers: z.number().optional(),
      }),
    ])
    .optional(),
  prediction: z
    .array(
      z.object({ nodes: z.number(), milliseconds: perCollective, speedUp: perCollective, efficiency: perCollective }),
    )
    .optional(),
});

export const SCALING = z.object({
  mode: z.enum(['strong', 'weak']),
  unit: z.enum(['workers', 'processes', 'ranks']).default('workers'),
  machine: z.object({ processor: z.string(), cores: z.int().min(1), load: z.number(), node: z.string() }),
  workload: z.object({
    preset: z.string(),
    strategy: z.string().default('data'),
    hidden: z.number(),
    seed: z.number(),
    steps: z.int().min(1),
  }),
  network: z.object({ nodes: z.number(), bitsPerSecond: z.number(), rttMilliseconds: z.number() }).optional(),
  phases: z.array(phase).min(1),
});
