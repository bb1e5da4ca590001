// The loss of a step: what is minimised, as one number.
import type { Stage } from './stage.js';

/** The mean of labelled rows, and alpha times the sum of unlabelled ones by their batch. */
export function lossOf(
  { method }: Pick<Stage, 'method'>,
  step: {
    readonly labelledLoss: number;
    readonly unlabelledLoss: number;
    readonly counted: number;
    readonly alpha: number;
  },
): number {
  if (method.name === 'denoising') return step.unlabelledLoss;
  if (method.name === 'supervised' || step.alpha === 0) return step.labelledLoss;
  return step.labelledLoss + step.alpha * (step.counted / method.batch) * step.unlabelledLoss;
}
