// Chooses the strategy by which a stage is trained.

import { PseudolabelError } from '../errors.js';
import { isTensorParallel } from '../models/dense/tensor-blocks.js';
import { tensorShardCount } from '../models/dense/tensor-layout.js';
import type { Model } from '../models/model.js';
import { gradientOption, type RunConfig } from './config.js';
import type { Stage } from './stage.js';

/** How a step is cut over workers: into rows (data-parallel), or into hidden units. */
export type StrategyName = Exclude<RunConfig['strategy'], 'auto'>;

/** What the choice depends on, besides the network. */
export type ChoiceConfig = Pick<RunConfig, 'strategy' | 'wire' | 'fastSum'>;

/**
 * 'auto': tensor parallel wherever that is possible, unless the config asks for what only gradients have. By the config alone, since the bits
 * of a run depend on it. clip: the stage's, whose norm is of a gradient. Throws E_CONFIG.
 */
export function strategyOf(config: ChoiceConfig, model: Model, clip?: number): StrategyName {
  const { strategy } = config;
  if (strategy === 'data') return 'data';
  const isPossible = isTensorParallel(model) && clip === undefined;
  if (strategy === 'auto') return isPossible && gradientOption(config) === undefined ? 'tensor' : 'data';
  if (isPossible) return 'tensor';
  if (clip !== undefined)
    throw new PseudolabelError(
      'E_CONFIG',
      'clip: tensor-parallel steps have no gradient whose norm could be clipped',
      'use --strategy data, or auto, which takes it for such stages',
    );
  throw new PseudolabelError(
    'E_CONFIG',
    'strategy: tensor cuts classifiers with one hidden layer, and autoencoders of f32 by a wide layer at each end; a stage trains neither',
    'use --strategy auto, which takes data for such stages',
  );
}

/** The number of workers that a step has work for, at most. */
export const partsOf = (config: ChoiceConfig & Pick<RunConfig, 'shards'>, { model, clip }: Stage): number =>
  isTensorParallel(model) && strategyOf(config, model, clip) === 'tensor'
    ? tensorShardCount(model, config.shards)
    : config.shards;

/** What 'auto' has taken for a run's stages, and why; undefined where nobody left it the choice. */
export function choiceLine(config: ChoiceConfig, stages: readonly Stage[]): string | undefined {
  if (config.strategy !== 'auto') return undefined;
  const option = gradientOption(config);
  if (option !== undefined) return `strategy: data, since ${option} is about gradients`;
  const by = (name: StrategyName) => stages.filter(({ model, clip }) => strategyOf(config, model, clip) === name);
  const hidden = 'workers exchange sums over their units then, not gradients';
  if (by('data').length === 0) return `strategy: tensor, since ${hidden}`;
  const clipped = by('data').some(({ clip }) => clip !== undefined);
  if (by('tensor').length === 0)
    return clipped
      ? 'strategy: data, since gradients are clipped, which tensor has none of'
      : 'strategy: data, since no stage trains a network that tensor cuts';
  const names = by('data').map(({ name }) => name);
  const why = clipped ? 'whose gradients are clipped' : 'whose network it does not cut';
  return `strategy: tensor, since ${hidden}; data for ${names.join(' and ')}, ${why}`;
}
