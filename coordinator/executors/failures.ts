// Owns what can go wrong with those who compute, whether they are nodes or ranks, in words for the user of the run.

import { PseudolabelError } from '../../src/errors.js';
import type { Precision } from '../../src/models/model.js';

export function wasClosed(who: 'nodes' | 'ranks'): PseudolabelError {
  const fix = 'resume from the last checkpoint with --resume';
  return new PseudolabelError('E_INTERRUPTED', `the ${who} were closed before their work was done`, fix);
}

export function notFinite(): PseudolabelError {
  const fix = 'a smaller learning rate helps; the last checkpoint holds the parameters of before';
  return new PseudolabelError('E_NOT_FINITE', 'the sum of the gradients is not finite', fix);
}

/** Of a run's precision, on a node or on ranks. */
export function withoutProducts(who: string, precision: Precision): PseudolabelError {
  const fix = 'leave it out, or start the run with --precision f32, which runs anywhere';
  return new PseudolabelError('E_NUMERICS', `the processor of ${who} has no products of ${precision}`, fix);
}

/** whose: the parameters that those of the named ones were compared with. */
export function drifted(names: readonly string[], whose: string, step: number): PseudolabelError {
  return new PseudolabelError(
    'E_DRIFT',
    `after ${step} steps the parameters of ${names.join(', ')} differ from ${whose}`,
    'check the memory of that machine, and go on without it from the last checkpoint with --resume',
  );
}

export function stoppedWaiting(): PseudolabelError {
  const fix = 'go on from the last checkpoint with --resume';
  return new PseudolabelError('E_INTERRUPTED', 'interrupted in a step that no node was there to finish', fix);
}

/** After so many milliseconds without anyone to compute. */
export function abandoned(milliseconds: number): PseudolabelError {
  const message = `no node was there to compute for ${Math.round(milliseconds / 1000)} s`;
  return new PseudolabelError('E_NODES', message, 'start a node, then go on from the last checkpoint with --resume');
}
