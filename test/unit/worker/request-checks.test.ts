// What a node computes for its coordinator: only what fits its arena.
import { describe, expect, it } from 'vitest';
import type { UnlabelledRows } from '../../../src/methods/method.js';
import { toWire } from '../../../src/protocol/fields.js';
import { checkAsked } from '../../../worker/request-checks.js';
import { FRESH, SHAPE, shardSteps } from '../../contract/executor-work.js';

const ask = (unlabelled: UnlabelledRows) => {
  const steps = shardSteps(1, unlabelled).map(toWire);
  checkAsked({ kind: 'gradients', request: 1, round: 1, goesOn: false, steps }, { ...SHAPE, workspaces: 1 });
};

describe('a request for gradients', () => {
  it('is taken as it should be', () => {
    expect(() => ask(FRESH)).not.toThrow();
  });

  it('is refused where a classifier shall reconstruct its inputs, which are longer than its targets (case S8)', () => {
    const denoising = { ...FRESH, method: 'denoising', parameters: {}, pseudoLabels: 'none' } as const;
    expect(() => ask(denoising)).toThrow(expect.objectContaining({ code: 'E_PROTOCOL' }));
  });
});
