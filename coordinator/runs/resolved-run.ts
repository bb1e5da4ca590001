// Resolves a run once: turns its config into what it means on its data set. All code that trains, records, shows or
// resumes a run takes this result, and the session that computes it.
import { type Dataset, knownCount, UNKNOWN } from '../../src/data/dataset.js';
import { type Split, splitLabelled } from '../../src/data/split.js';
import { PseudolabelError } from '../../src/errors.js';
import { methodOf } from '../../src/methods/methods.js';
import { checkGraph } from '../../src/models/graph-limits.js';
import { parameterCount } from '../../src/models/models.js';
import { DEFAULT_LABELS_PER_CLASS, hiddenOf, type RunConfig } from '../../src/training/config.js';
import { changesOfPlan, planOf } from '../../src/training/plan.js';
import type { PresetInput } from '../../src/training/presets/shared.js';
import { shardsFor } from '../../src/training/shards.js';
import type { Stage } from '../../src/training/stage.js';
import { type StrategyName, strategyOf } from '../../src/training/strategy-choice.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import type { Dispatcher, ImageCounts } from '../dispatcher.js';
import type { NodeNow } from '../executors/cluster/status.js';
import type { StartingNetwork } from './start.js';

export interface ResolvedRun {
  /** The complete config: labelsPerClass has its value on the data set, and validation is a number of images. */
  readonly config: RunConfig;
  readonly dataset: Dataset;
  readonly split: Split;
  readonly task: PresetInput;
  readonly stages: readonly Stage[];
  /** The strategy of each stage. */
  readonly strategies: readonly StrategyName[];
  /** The most steps of a stage, or Infinity. */
  readonly maxSteps: number;
  /** The parameters that the first stage starts from. If undefined, they are drawn from the seed. */
  readonly parameters: Float32Array | undefined;
}

/**
 * Resolves a run. Throws E_CONFIG if the options do not fit each other or the data set, E_DATA_CLASSES and
 * E_SPLIT_TOO_FEW.
 */
export function resolveRun(options: RunConfig, dataset: Dataset, network?: StartingNetwork): ResolvedRun {
  const validated = { ...options, validation: validationOf(options, dataset) };
  const config = {
    ...validated,
    ...(network?.name !== undefined && { model: network.name }),
    labelsPerClass: labelsPerClassOf(options, dataset),
  };
  const { labelsPerClass: perClass, split: kind, splitSeed, validation } = config;
  const split = splitLabelled(dataset, { perClass, kind, splitSeed, validation });
  const [labelled, unlabelled] = [split.labelled.length, split.unlabelled.length];
  const shards = shardsFor(config, unlabelled);
  if (unlabelled < shards) {
    const fix = `use --shards ${Math.max(1, unlabelled)}`;
    throw new PseudolabelError('E_CONFIG', `${shards} shards for ${unlabelled} unlabelled images`, fix);
  }
  const { pixels, classes, height, width, channels } = dataset;
  if (hiddenOf(config) === undefined && !network?.model)
    throw new PseudolabelError(
      'E_CONFIG',
      `model: ${config.model} cannot be trained by this command`,
      'use `pseudolabel train`',
    );
  const task = {
    pixels,
    classes,
    hidden: network?.model ? [] : (hiddenOf(config) ?? []),
    network: network?.model,
    images: { height, width, channels },
    labelled,
    unlabelled,
  };
  const stages = planOf(config, task);
  if (network?.parameters) checkStart(stages[0]!, network.parameters);
  const strategies = stages.map((stage) => strategyOf(config, stage));
  if (config.fastSum && !strategies.includes('data'))
    throw new PseudolabelError('E_CONFIG', 'fastSum: tensor-parallel steps sum no gradients', 'leave out --fast-sum');
  const counts = new Array<number>(classes).fill(1);
  for (const { method, model } of stages) {
    const graph = methodOf(method).propagation(method, counts);
    if (graph) checkGraph(graph, { count: unlabelled, classes, size: task.images, model });
  }
  const maxSteps = config.maxSteps ?? Number.POSITIVE_INFINITY;
  return {
    config: { ...config, shards },
    dataset,
    split,
    task,
    stages,
    strategies,
    maxSteps,
    parameters: network?.parameters,
  };
}

/** Throws E_CONFIG if the weights to start from belong to another network than the first stage trains. */
function checkStart({ name, model }: Stage, parameters: Float32Array): void {
  if (model.objective !== 'reconstruction' && parameterCount(model) === parameters.length) return;
  const message = `start: the first stage, ${name}, trains ${model.objective === 'reconstruction' ? 'an autoencoder' : 'another network'}`;
  throw new PseudolabelError(
    'E_CONFIG',
    message,
    'train the scenario nn, drop or pl, or leave out what it starts from',
  );
}

/**
 * Returns the number of labels per class that the config sets. If it sets none, returns a few of each class for a
 * benchmark (all labels are known, and no file of labels is given), and all labels otherwise. Labels that are already
 * few are not hidden: a number of each class is refused then.
 */
function labelsPerClassOf(
  { labelsPerClass, labels, split }: RunConfig,
  { name, train, classes }: Dataset,
): number | 'all' {
  const known = knownCount(train.labels);
  if (known < train.count && known > 0 && typeof labelsPerClass === 'number') {
    const message = `labelsPerClass: the labels of ${train.count - known} of the ${train.count} images of ${name} are not known`;
    const fix =
      'leave out --labels-per-class: all labels that there are are used; it hides labels where all are known, to measure a method';
    throw new PseudolabelError('E_CONFIG', message, fix);
  }
  // A user who gives a file of labels wants them used.
  const isHiding = labels === undefined && isBenchmark(train.labels, classes);
  const chosen = labelsPerClass ?? (isHiding ? DEFAULT_LABELS_PER_CLASS : 'all');
  if (chosen !== 'all' || split !== 'random') return chosen;
  throw new PseudolabelError(
    'E_CONFIG',
    'split: random has no effect where all known labels are used',
    known === train.count
      ? 'leave out --split and --splits, or give --labels-per-class N: N random ones of each class'
      : 'leave out --split and --splits: nothing is drawn where all labels that there are are used',
  );
}

/** Returns whether labels are hidden by default: all are known, and no class has fewer than are kept. */
export function isBenchmark(labels: Uint16Array, classes: number): boolean {
  const counts = new Uint32Array(classes);
  for (const label of labels) {
    if (label === UNKNOWN) return false;
    counts[label]! += 1;
  }
  return counts.every((count) => count >= DEFAULT_LABELS_PER_CLASS);
}

/** Returns validation as a number of images. A share refers to the images that have a label. */
function validationOf({ validation }: RunConfig, { train }: Dataset): number {
  return validation === 0 || validation >= 1 ? validation : validationCount(validation, knownCount(train.labels));
}

/** Returns the number of images for a share of those that have a label. */
export const validationCount = (share: number, known: number): number => Math.max(1, Math.round(share * known));

export const countsOf = ({ split, dataset }: ResolvedRun): ImageCounts => ({
  unlabelled: split.unlabelled.length,
  validation: split.validation.length,
  test: dataset.test?.count ?? 0,
});

/** Returns how the stages in the config, or the given ones, differ from those that its other options give now. */
export const changesOf = ({ config, task }: ResolvedRun, stages = config.stages): string[] =>
  changesOfPlan({ ...config, stages }, task);

/** The MPI job that computed a run. */
export interface Job {
  readonly ranks: number;
  /** The number of workers of all ranks. */
  readonly workers: number;
  /**
   * The order in which gradients were summed. 'any': MPI's own order, so that the bits depend on the number of ranks.
   */
  readonly sum: 'tree' | 'any';
}

/** Computes runs on the same images (compose.ts). */
export interface Session {
  readonly dispatcher: Dispatcher;
  /** The threads of this process, and the arena with the state of the run. */
  readonly local: ThreadExecutor;
  /** The fingerprint of what products and the kernel compute on this machine. */
  readonly numerics: string;
  /** Is there if this process is rank 0 of an MPI job. */
  readonly job?: Job;
  /** What the nodes on other machines are doing, in a run that nodes can join. */
  readonly activities?: () => readonly NodeNow[];
  close(): Promise<void>;
}
