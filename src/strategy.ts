// Owns the choice of the strategy by which a stage is trained.
import type { RunConfig } from './config.js';
import type { Model } from './engine/model.js';
import { isSliceable } from './engine/pairs.js';
import { PseudolabelError } from './errors.js';
import type { Stage } from './stage.js';

/** How a step is cut over workers: into rows (data-parallel), or into hidden units. */
export type StrategyName = Exclude<RunConfig['strategy'], 'auto'>;

/**
 * 'auto': by hidden units where that is possible and no slower on one machine: not of an autoencoder. By the config alone, since the bits of a run
 * depend on it. Throws E_CONFIG.
 */
export function strategyOf({ strategy }: Pick<RunConfig, 'strategy'>, model: Model): StrategyName {
  if (strategy === 'data') return 'data';
  if (strategy === 'auto') return isSliceable(model) && model.objective !== 'reconstruction' ? 'hidden' : 'data';
  if (isSliceable(model)) return 'hidden';
  throw new PseudolabelError(
    'E_CONFIG',
    'strategy: hidden cuts classifiers with one hidden layer, and autoencoders of f32 by a wide layer at each end; a stage trains neither',
    'use --strategy auto, which takes data for such stages',
  );
}

/** What 'auto' has taken for a run's stages, and why; undefined where nobody left it the choice. */
export function choiceLine(config: Pick<RunConfig, 'strategy'>, stages: readonly Stage[]): string | undefined {
  if (config.strategy !== 'auto') return undefined;
  const by = (name: StrategyName) => stages.filter(({ model }) => strategyOf(config, model) === name);
  const hidden = 'workers exchange sums over their units then, not gradients';
  if (by('data').length === 0) return `strategy: hidden, since ${hidden}`;
  if (by('hidden').length === 0) return 'strategy: data, since no stage trains a classifier with one hidden layer';
  const names = by('data').map(({ name }) => name);
  return `strategy: hidden, since ${hidden}; data for ${names.join(' and ')}, which trains no classifier with one hidden layer`;
}
