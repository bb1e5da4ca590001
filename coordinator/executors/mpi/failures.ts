// Owns what can go wrong among the ranks of a job, in words for its user.
import { PseudolabelError } from '../../../src/errors.js';
import type { ToRoot } from '../../../src/protocol/mpi-messages.js';

export function otherNumerics(names: readonly string[]): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits on ${names.join(', ')} than on rank 0: another type of processor, or another build of TensorFlow`,
    'ask for machines of one type, or start the run with --allow-mixed and do without exact repetition',
  );
}

/** An error that a rank told of. */
export function revived({ code, message, fix }: Extract<ToRoot, { kind: 'failed' }>, name: string): Error {
  const named = `${name}: ${message}`;
  return code === null ? new Error(named) : new PseudolabelError(code, named, fix);
}

export function unexpected(kind: string): PseudolabelError {
  return new PseudolabelError('E_PROTOCOL', `a rank answered ${kind}`, 'run the same version on all ranks');
}

export function misfit(): PseudolabelError {
  return new PseudolabelError(
    'E_PROTOCOL',
    'the answers of the ranks do not fit the question',
    'run the same version on all ranks',
  );
}
