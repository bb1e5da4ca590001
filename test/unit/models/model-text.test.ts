// Tests that a model is sent as text, which is made once and read once.
import { describe, expect, it, vi } from 'vitest';
import { modelOf } from '../../../src/models/dense/model.js';
import type { Model } from '../../../src/models/model.js';
import { ModelReader, ModelWriter } from '../../../src/models/model-text.js';

const model = modelOf([4, 3, 2], { inputDropout: 0, dropout: [0.5], objective: 'softmax' });

describe('a model as text', () => {
  it('arrives as it was, beside what it came with', () => {
    const task = { kind: 'gradient', model, shard: 3 } as const;
    expect(new ModelReader().read(new ModelWriter().write(task))).toEqual(task);
  });

  it('leaves a task without a model as it is', () => {
    const task = { kind: 'norm', slice: 1 } as const;
    expect(new ModelWriter().write(task)).toBe(task);
    expect(new ModelReader().read(task)).toBe(task);
  });

  it('is read once, whoever wrote it', () => {
    const parse = vi.fn((text: string) => JSON.parse(text) as Model);
    const reader = new ModelReader(parse);
    const read = [model, structuredClone(model), model].map((each) =>
      reader.read(new ModelWriter().write({ model: each })),
    );
    expect(new Set(read.map((each) => each.model)).size).toBe(1);
    expect(parse).toHaveBeenCalledTimes(1);
  });

  it('is not kept where it could not be read', () => {
    const reader = new ModelReader();
    for (const _ of [1, 2]) expect(() => reader.read({ model: 'no JSON' })).toThrow(SyntaxError);
  });
});
