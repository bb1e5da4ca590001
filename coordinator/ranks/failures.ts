// Owns what can go wrong among the ranks of a job, in words for its user.
import { PseudolabelError } from '../../src/errors.js';
import type { ToRoot } from '../../src/protocol/ranks.js';

export function wasClosed(): PseudolabelError {
  const fix = 'resume from the last checkpoint with --resume';
  return new PseudolabelError('E_INTERRUPTED', 'the ranks were closed before their work was done', fix);
}

export function notFinite(): PseudolabelError {
  const fix = 'a smaller learning rate helps; the last checkpoint holds the parameters of before';
  return new PseudolabelError('E_NOT_FINITE', 'the sum of the gradients is not finite', fix);
}

export function otherNumerics(names: readonly string[]): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits on ${names.join(', ')} than on rank 0: another type of processor, or another build of TensorFlow`,
    'ask for machines of one type, or start the run with --allow-mixed and do without exact repetition',
  );
}

export function drifted(names: readonly string[], step: number): PseudolabelError {
  return new PseudolabelError(
    'E_DRIFT',
    `after ${step} steps the parameters of ${names.join(', ')} differ from rank 0's`,
    'check the memory of that machine, and go on without it from the last checkpoint with --resume',
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

export function notOverMpi(): PseudolabelError {
  const fix =
    'use --strategy data, which ends on the same bits on any number of ranks, or nodes in place of ranks (--listen)';
  return new PseudolabelError('E_CONFIG', 'strategy: steps by hidden units do not go over MPI', fix);
}
