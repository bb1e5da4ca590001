import type { PseudoLabelSettings } from '../src/methods/pseudo-label.js';
import type { Stage } from '../src/training/stage.js';

/** Returns the settings of a stage whose method is pseudo-label, and undefined for others. */
export const pseudoLabelsOf = ({ method }: Stage): PseudoLabelSettings | undefined =>
  method.name === 'pseudo-label' ? method : undefined;
