// Tests that a node only computes for its coordinator what fits its arena.
import { describe, expect, it } from 'vitest';
import type { UnlabelledRows } from '../../../src/methods/method.js';
import { TO_NODE, type ToNode } from '../../../src/protocol/cluster-messages.js';
import { decodeFrame, encodeMessage } from '../../../src/protocol/codec.js';
import { toWire } from '../../../src/protocol/fields.js';
import { checkAsked, readerOfAsked } from '../../../worker/request-checks.js';
import { FRESH, MODEL, SHAPE, shardSteps } from '../../contract/executor-work.js';

const ask = (unlabelled: UnlabelledRows) => {
  const steps = shardSteps(1, unlabelled).map(toWire);
  checkAsked(
    { kind: 'gradients', request: 1, round: 1, goesOn: false, model: MODEL, steps },
    { ...SHAPE, workspaces: 1 },
  );
};

describe('a request for gradients', () => {
  it('is taken as it should be', () => {
    expect(() => ask(FRESH)).not.toThrow();
  });

  it('is refused where a classifier shall reconstruct its inputs, which are longer than its targets (case S8)', () => {
    const denoising = { ...FRESH, method: 'denoising', settings: {}, pseudoLabels: 'none' } as const;
    expect(() => ask(denoising)).toThrow(expect.objectContaining({ code: 'E_PROTOCOL' }));
  });
});

describe('a model in a request', () => {
  const optimizer = { kind: 'momentum', a: 0, b: 1, c: 1 } as const;
  const update = (model: string): Extract<ToNode, { kind: 'update' }> => ({
    kind: 'update',
    request: 1,
    model,
    optimizer,
  });
  /** There are as many values as no other message may have. */
  const layers = Array.from({ length: 400 }, (_, n) => ({
    class_name: 'Dense',
    config: { name: `dense_${n}`, units: 8, use_bias: true, trainable: true, kernel_initializer: { config: {} } },
  }));
  const weights = layers.map(({ config }) => ({
    name: `${config.name}/kernel`,
    shape: [8, 8],
    initialiser: { kind: 'constant', value: 0 },
  }));
  const LONG = JSON.stringify({
    kind: 'layers',
    topology: { class_name: 'Sequential', config: { layers } },
    inputShape: [8],
    classes: 8,
    weights,
    objective: 'softmax',
  });

  it('is read once, and is the same object from then on', () => {
    const models = readerOfAsked();
    const [first, second] = [1, 2].map(() => models.read(update(JSON.stringify(MODEL))));
    expect(first!.model).toEqual(MODEL);
    expect(second!.model).toBe(first!.model);
  });

  it('may have hundreds of layers', () => {
    const received = decodeFrame<ToNode>(TO_NODE, encodeMessage<ToNode>(TO_NODE, update(LONG)));
    expect(received).toEqual({ message: update(LONG) });
    expect(readerOfAsked().read(update(LONG)).model).toEqual(JSON.parse(LONG));
  });

  it.each(['', 'null', '{"kind":"dense"}', '['.repeat(2 ** 18)])('is refused where its text is none: %#', (text) => {
    const refused = expect.objectContaining({ code: 'E_PROTOCOL' });
    expect(() => readerOfAsked().read(update(text))).toThrow(refused);
  });
});
