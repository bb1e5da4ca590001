// Chooses the strategy by which a stage is trained.

import { PseudolabelError } from '../errors.js';
import { isTensorParallel } from '../models/dense/tensor-blocks.js';
import { tensorShardCount } from '../models/dense/tensor-layout.js';
import type { RunConfig } from './config.js';
import { gradientOption } from './shards.js';
import type { Stage } from './stage.js';

/** How a step is split over workers: into rows (data parallel) or into hidden units (tensor parallel). */
export type StrategyName = Exclude<RunConfig['strategy'], 'auto'>;

/** The options that the choice depends on. */
export type ChoiceConfig = Pick<RunConfig, 'strategy' | 'wire' | 'fastSum'>;

/** The part of a stage that decides how its steps can be split. */
export interface Cuttable extends Pick<Stage, 'model' | 'clip' | 'average'> {
  readonly augment?: unknown;
}

/** Why a stage cannot be tensor parallel: the message of an error, and the reasons for all stages and for some. */
const REASONS = {
  clip: {
    refusal: 'clip: tensor-parallel steps have no gradient whose norm could be clipped',
    all: 'since gradients are clipped, which tensor has none of',
    some: 'whose gradients are clipped',
  },
  average: {
    refusal: 'average: tensor-parallel steps keep no average of the weights',
    all: 'since an average of the weights is kept, which tensor does not do',
    some: 'which keeps an average of its weights',
  },
  augment: {
    refusal: 'augment: tensor-parallel steps do not change images',
    all: 'since images are changed, which tensor does not do',
    some: 'whose images are changed',
  },
  network: {
    refusal:
      'strategy: tensor cuts classifiers with one hidden layer, and autoencoders of f32 by a wide layer at each end; a stage trains neither',
    all: 'since no stage trains a network that tensor cuts',
    some: 'whose network it does not cut',
  },
} as const;

/** Returns why a stage cannot be tensor parallel, or undefined if it can. */
function obstacleOf({ model, clip, average, augment }: Cuttable): keyof typeof REASONS | undefined {
  if (!isTensorParallel(model)) return 'network';
  if (clip !== undefined) return 'clip';
  if (average !== undefined) return 'average';
  return augment === undefined ? undefined : 'augment';
}

/**
 * Returns the strategy of a stage. 'auto' is tensor parallel if that is possible, unless the config asks for what only
 * gradients have. It depends on the config and the stage only, because the bits of a run depend on it. Throws E_CONFIG.
 */
export function strategyOf(config: ChoiceConfig, stage: Cuttable): StrategyName {
  const { strategy } = config;
  if (strategy === 'data') return 'data';
  const obstacle = obstacleOf(stage);
  if (strategy === 'auto') return obstacle === undefined && gradientOption(config) === undefined ? 'tensor' : 'data';
  if (obstacle === undefined) return 'tensor';
  const fix =
    obstacle === 'network'
      ? 'use --strategy auto, which takes data for such stages'
      : 'use --strategy data, or auto, which takes it for such stages';
  throw new PseudolabelError('E_CONFIG', REASONS[obstacle].refusal, fix);
}

/** Returns the most workers that a step has work for. */
export const partsOf = (config: ChoiceConfig & Pick<RunConfig, 'shards'>, stage: Cuttable): number =>
  isTensorParallel(stage.model) && strategyOf(config, stage) === 'tensor'
    ? tensorShardCount(stage.model, config.shards)
    : config.shards;

/** Returns the line that says what 'auto' chose for a run's stages, and why; undefined if the user chose. */
export function choiceLine(config: ChoiceConfig, stages: readonly Stage[]): string | undefined {
  if (config.strategy !== 'auto') return undefined;
  const option = gradientOption(config);
  if (option !== undefined) return `strategy: data, since ${option} is about gradients`;
  const by = (name: StrategyName) => stages.filter((stage) => strategyOf(config, stage) === name);
  const hidden = 'workers exchange sums over their units then, not gradients';
  if (by('data').length === 0) return `strategy: tensor, since ${hidden}`;
  const obstacles = by('data').flatMap((stage) => obstacleOf(stage) ?? []);
  const { all, some } = REASONS[obstacles.find((obstacle) => obstacle !== 'network') ?? 'network'];
  if (by('tensor').length === 0) return `strategy: data, ${all}`;
  const names = by('data').map(({ name }) => name);
  return `strategy: tensor, since ${hidden}; data for ${names.join(' and ')}, ${some}`;
}
