// The loss of a step: the number that training minimises.
import type { Stage } from './stage.js';

/**
 * Returns the mean loss of the labelled rows, plus alpha times the summed loss of the unlabelled rows divided by their
 * batch.
 */
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
