// Owns the work that is measured: real steps of real stages of a preset, by the training loop itself, in blocks that can be repeated.

import { clock } from '../../src/clock.js';
import { normalise, type PRESETS, type RunConfig } from '../../src/config.js';
import { loadDataset } from '../../src/data/dataset.js';
import { initialParameters, layoutOf, type Model } from '../../src/engine/model.js';
import { planOf } from '../../src/plan.js';
import { splitOf as accountFor } from '../../src/scaling/split.js';
import type { Block, Mode } from '../../src/scaling/summary.js';
import { labellingTraffic, type Traffic, trainingTraffic } from '../../src/scaling/traffic.js';
import type { Stage } from '../../src/stage.js';
import type { Call } from '../../src/timeline.js';
import { createLocalNode } from '../../worker/node.js';
import { Cluster } from '../cluster.js';
import { LabelledSet } from '../labelled.js';
import { ObservedNode } from '../observed.js';
import { shapeFor, splitOf, taskOf } from '../session.js';
import { type Observer, train } from '../train.js';

export const PHASES = ['finetune', 'label', 'pretrain'] as const;
export type Phase = (typeof PHASES)[number];

export interface WorkloadOptions {
  readonly mode: Mode;
  readonly preset: (typeof PRESETS)[number];
  readonly hidden: number;
  readonly seed: number;
  /** undefined: MNIST. */
  readonly data: string | undefined;
  /** Steps of a block of training. A block of labelling is one pass over the images. */
  readonly steps: number;
  /** The most workers of all contestants: in weak scaling, those for whom the images are just enough. */
  readonly largest: number;
}

/** One of those that are compared: so many workers, doing the work that `share` workers are given in weak scaling. */
export interface Contestant {
  readonly workers: number;
  readonly share: number;
}

export interface Workload {
  measure(phase: Phase): Promise<Block>;
  readonly traffic: Readonly<Record<Phase, Traffic>>;
  close(): Promise<void>;
}

export async function openWorkload(options: WorkloadOptions, { workers, share }: Contestant): Promise<Workload> {
  const factor = options.mode === 'weak' ? share : 1;
  const config = configOf(options, workers, factor);
  const dataset = await loadDataset({ folder: options.data });
  const images =
    options.mode === 'weak' ? Math.floor(dataset.train.count / options.largest) * share : dataset.train.count;
  const plan = planOf(config, taskOf(config, dataset)).map((stage) => enlarged(stage, factor, options.steps));
  const stages = { pretrain: stageOf(plan, 'pretrain'), finetune: stageOf(plan, 'finetune') };
  const counts = { unlabelled: images, validation: 0, test: 0 };
  const local = await createLocalNode({
    shape: shapeFor(plan, config, dataset.pixels, counts),
    images: dataset.train.images.subarray(0, images * dataset.pixels),
    evaluationImages: new Uint8Array(),
  });
  const calls: Call[] = [];
  const cluster = new Cluster(new ObservedNode(local, (call) => calls.push(call)), config.shards, counts);
  const labelled = new LabelledSet(dataset.train, dataset.pixels, splitOf(config, dataset).labelled);
  let prepared: Phase | undefined;

  /** Returns the images that went through. */
  const work = async (phase: Phase): Promise<number> => {
    if (phase === 'label') return (await cluster.label(stages.finetune.model)).classes.length;
    return trainBlock(stages[phase], options, labelled, cluster);
  };
  const measure = async (phase: Phase): Promise<Block> => {
    if (phase !== prepared) cluster.write(fresh(modelOfPhase(stages, phase), config.seed));
    prepared = phase;
    calls.length = 0;
    const used = process.cpuUsage();
    const began = clock();
    const rows = await work(phase);
    const ended = clock();
    const { user, system } = process.cpuUsage(used);
    const { split, error } = accountFor({ workers, began, ended, calls });
    const steps = phase === 'label' ? 1 : options.steps;
    const withoutCore = shareWithoutCore(calls, (user + system) / 1e3);
    return { steps, rows, milliseconds: ended - began, split, splitError: error, withoutCore };
  };
  const traffic = {
    pretrain: trainingTraffic(stages.pretrain, config.shards),
    finetune: trainingTraffic(stages.finetune, config.shards),
    label: labellingTraffic(images),
  };
  return { measure, traffic, close: () => cluster.close() };
}

/**
 * A task never waits for anything but a core. What the coordinator's thread computed meanwhile counts as the workers' here, so that the
 * true share is larger.
 */
function shareWithoutCore(calls: readonly Call[], computedMilliseconds: number): number {
  const inTasks = calls.flatMap(({ tasks }) => tasks).reduce((sum, { began, ended }) => sum + ended - began, 0);
  return inTasks === 0 ? 0 : Math.max(0, 1 - computedMilliseconds / inTasks);
}

/** As `train` has it: as many shards as workers. The labels grow with the work, so that their epochs keep their shape. */
function configOf({ preset, hidden, seed, data }: WorkloadOptions, workers: number, factor: number): RunConfig {
  const labelsPerClass = normalise({}).labelsPerClass * factor;
  return normalise({ scenario: 'dae', preset, hidden, seed, data, workers, labelsPerClass });
}

const stageOf = (plan: readonly Stage[], name: Stage['name']): Stage => plan.findLast((stage) => stage.name === name)!;

/** Every batch `factor` times as large, and no fewer steps than are measured. */
function enlarged(stage: Stage, factor: number, steps: number): Stage {
  const { pseudo, denoising } = stage;
  return {
    ...stage,
    steps: Math.max(stage.steps, steps),
    labelledBatch: stage.labelledBatch * factor,
    pseudo: pseudo && { ...pseudo, batch: pseudo.batch * factor },
    denoising: denoising && { ...denoising, batch: denoising.batch * factor },
  };
}

const modelOfPhase = (stages: { pretrain: Stage; finetune: Stage }, phase: Phase): Model =>
  phase === 'pretrain' ? stages.pretrain.model : stages.finetune.model;

function fresh(model: Model, seed: number) {
  const { length } = layoutOf(model);
  const zeros = new Float32Array(length);
  return { parameters: initialParameters(model, seed, 0), firstMoment: zeros, secondMoment: zeros };
}

/** The last steps of a stage, where pseudo-labels have their full weight. Always the same ones, so that every block is the same work. */
async function trainBlock(
  stage: Stage,
  { seed, steps }: WorkloadOptions,
  labelled: LabelledSet,
  cluster: Cluster,
): Promise<number> {
  let rows = 0;
  const nothing = () => undefined;
  const observer: Observer = {
    before: async () => undefined,
    stageBegins: nothing,
    labelled: nothing,
    stepped: (_, __, outcome) => {
      rows += outcome.rows;
    },
  };
  const training = { seed, stages: [stage], labelled, maxSteps: stage.steps };
  await train(training, cluster, observer, { stage: 0, step: stage.steps - steps });
  return rows;
}
