// Makes the errors of executors, in words for the user of a run.

import { type ErrorCode, PseudolabelError } from '../../src/errors.js';
import { FROM_CHECKPOINT } from '../../src/failures.js';

const SAME_VERSION = 'run the same version on all machines';

export function closedError(who: 'nodes' | 'ranks'): PseudolabelError {
  return new PseudolabelError('E_INTERRUPTED', `the ${who} were closed before their work was done`, FROM_CHECKPOINT);
}

/** Makes the error for machines whose parameters differ from the coordinating machine's after this number of steps. */
export function driftError(names: readonly string[], coordinator: string, steps: number): PseudolabelError {
  return new PseudolabelError(
    'E_DRIFT',
    `after ${steps} steps the parameters of ${names.join(', ')} differ from those of ${coordinator}`,
    `check the memory of that machine, and without it ${FROM_CHECKPOINT}`,
  );
}

/** Makes the error for a run that the user ends while no node is there to finish its step. */
export function stoppedWaiting(): PseudolabelError {
  const message = 'interrupted in a step that no node was there to finish';
  return new PseudolabelError('E_INTERRUPTED', message, FROM_CHECKPOINT);
}

/** Makes the error for a run that has waited this long for a node. */
export function noNodesError(milliseconds: number): PseudolabelError {
  const message = `no node was there to compute for ${Math.round(milliseconds / 1000)} s`;
  return new PseudolabelError('E_NODES', message, `start a node, then ${FROM_CHECKPOINT}`);
}

/** Makes the error for a node that did not do something within its deadline. */
export function lateError(name: string, what: string): PseudolabelError {
  const fix = 'it may be overloaded, suspended, or behind a slow network';
  return new PseudolabelError('E_TIMEOUT', `${name} did not ${what} in time`, fix);
}

/** Makes the error for a node or rank that sent what it must not send. */
export function unexpectedError(message: string): PseudolabelError {
  return new PseudolabelError('E_PROTOCOL', message, SAME_VERSION);
}

/** Makes an error that another machine reports, with the machine's name. code: null if it is not a PseudolabelError. */
export function reportedError(name: string, { code, message, fix }: Reported): Error {
  const named = `${name}: ${message}`;
  return code === null ? new Error(named) : new PseudolabelError(code, named, fix);
}

interface Reported {
  readonly code: ErrorCode | null;
  readonly message: string;
  readonly fix: string;
}

const WISH = 'it left as it wished';

/** Makes the reason of a node that was told to stop, for example by Ctrl-C. */
export const wished = (): PseudolabelError =>
  new PseudolabelError('E_CLOSED', WISH, 'start it again when it should come back');

/** Returns whether a node left because it was told to. Then nothing is wrong. */
export const hasWished = ({ message }: PseudolabelError): boolean => message === WISH;

/** Turns whatever was thrown into the reason for a node to leave or not to join. */
export function reasonOf(error: unknown): PseudolabelError {
  if (error instanceof PseudolabelError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new PseudolabelError('E_CLOSED', message, 'start the node again', { cause: error });
}
