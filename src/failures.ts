// The errors of a training step that several parts of the program find: one wording for each.
import { PseudolabelError } from './errors.js';

/** The advice after a failure that a checkpoint outlives. */
export const FROM_CHECKPOINT = 'go on from the last checkpoint with --resume';

/** Makes the error for numbers that became infinite or NaN. Nothing was updated by them. */
export const notFinite = (message: string): PseudolabelError =>
  new PseudolabelError(
    'E_NOT_FINITE',
    message,
    'a smaller learning rate helps; the last checkpoint holds the parameters of before',
  );
