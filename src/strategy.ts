// Owns the choice of the strategy by which a stage is trained.
import type { RunConfig } from './config.js';
import type { Model } from './engine/model.js';
import { isSliceable } from './engine/slices.js';
import { PseudolabelError } from './errors.js';

/** How a step is cut over workers: into rows (data-parallel), or into hidden units. */
export type StrategyName = Exclude<RunConfig['strategy'], 'auto'>;

/** 'auto': by hidden units where that is possible, which exchanges kilobytes where data-parallel moves the gradient. Throws E_CONFIG. */
export function strategyOf({ strategy }: Pick<RunConfig, 'strategy'>, model: Model): StrategyName {
  if (strategy === 'data') return 'data';
  if (isSliceable(model)) return 'hidden';
  if (strategy === 'auto') return 'data';
  throw new PseudolabelError(
    'E_CONFIG',
    'strategy: a stage trains no classifier with one hidden layer, which hidden needs',
    'use --strategy auto, which takes data for such stages',
  );
}
