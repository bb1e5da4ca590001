// Owns the work that is measured: real stages of a preset, on the data set, as large as a contestant has to have them.

import type { Dataset } from '../../src/data/dataset.js';
import { tensorShardCount } from '../../src/models/dense/tensor-layout.js';
import type { Mode } from '../../src/scaling/summary.js';
import { labellingTraffic, type Traffic, tensorParallelTraffic, trainingTraffic } from '../../src/scaling/traffic.js';
import { DEFAULT_LABELS_PER_CLASS, normalise, type PRESETS, type STRATEGIES } from '../../src/training/config.js';
import type { Stage } from '../../src/training/stage.js';
import { type ResolvedRun, resolveRun } from '../runs/resolved-run.js';

export const PHASES = ['finetune', 'label', 'pretrain'] as const;
export type Phase = (typeof PHASES)[number];

export interface WorkloadOptions {
  readonly mode: Mode;
  readonly preset: (typeof PRESETS)[number];
  /** How a step of training is cut over the workers. */
  readonly strategy: (typeof STRATEGIES)[number];
  readonly hidden: number;
  /** As many for each contestant, who then all compute the same. */
  readonly shards: number;
  readonly seed: number;
  /** undefined: MNIST. */
  readonly data: string | undefined;
  /** Steps of a block of training. A block of labelling is one pass over the images. */
  readonly steps: number;
  /** Gradients of ranks are summed in MPI's own order. */
  readonly fastSum: boolean;
  /** The largest share of all contestants: in weak scaling, the one for which the images are just enough. */
  readonly largest: number;
}

/** One of those that are compared, doing so many times the work of one worker, or of one process, in weak scaling. */
export interface Contestant {
  /** Of each of its processes. */
  readonly workers: number;
  /** Processes besides the first. */
  readonly others: number;
  readonly share: number;
}

export interface Workload {
  /** Its stages are the two below, and its unlabelled images the first of the data set. */
  readonly run: ResolvedRun;
  readonly finetune: Stage;
  readonly pretrain: Stage;
  readonly traffic: Readonly<Record<Phase, Traffic>>;
}

export function workloadOf(options: WorkloadOptions, { workers, share }: Contestant, dataset: Dataset): Workload {
  const { mode, preset, strategy, hidden, shards, seed, data, steps, fastSum, largest } = options;
  const factor = mode === 'weak' ? share : 1;
  // The labels grow with the work, so that their epochs keep their shape.
  const labelsPerClass = factor === 1 ? undefined : DEFAULT_LABELS_PER_CLASS * factor;
  const given = { preset, strategy, hidden, seed, data, ...(fastSum && { fastSum }) };
  const whole = resolveRun(normalise({ scenario: 'dae', ...given, workers, shards, labelsPerClass }), dataset);
  const { count } = dataset.train;
  const images = mode === 'weak' ? Math.floor(count / largest) * share : count;
  const chosen = (['pretrain', 'finetune'] as const).map((phase) => {
    const stage = whole.stages.findLastIndex(({ name }) => name === phase);
    return { stage: enlarged(whole.stages[stage]!, factor, steps), strategy: whole.strategies[stage]! };
  });
  const [pretrain, finetune] = chosen.map(({ stage }) => stage) as [Stage, Stage];
  const [pretrainTraffic, finetuneTraffic] = chosen.map(({ stage, strategy }) =>
    strategy === 'tensor'
      ? tensorParallelTraffic(stage, tensorShardCount(stage.model, shards))
      : trainingTraffic(stage, shards),
  ) as [Traffic, Traffic];
  const run: ResolvedRun = {
    ...whole,
    dataset: { ...dataset, test: undefined },
    split: { ...whole.split, unlabelled: whole.split.unlabelled.subarray(0, images) },
    stages: [pretrain, finetune],
    strategies: chosen.map(({ strategy }) => strategy),
  };
  const traffic = { finetune: finetuneTraffic, pretrain: pretrainTraffic, label: labellingTraffic(images) };
  return { run, finetune, pretrain, traffic };
}

/** Every batch `factor` times as large, and no fewer steps than are measured. */
function enlarged(stage: Stage, factor: number, steps: number): Stage {
  return {
    ...stage,
    steps: Math.max(stage.steps, steps),
    labelledBatch: stage.labelledBatch * factor,
    method: 'batch' in stage.method ? { ...stage.method, batch: stage.method.batch * factor } : stage.method,
  };
}
