// Tests the options of a run: defaults, limits, and which of them the weights depend on.

import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { identityOf } from '../../../coordinator/runs/identity.js';
import { DATA_OPTIONS } from '../../../src/data/options.js';
import { PseudolabelError } from '../../../src/errors.js';
import { normalise, optionsSchema } from '../../../src/training/config.js';

function problems(options: unknown): string {
  try {
    normalise(options);
  } catch (error) {
    expect(error).toBeInstanceOf(PseudolabelError);
    expect((error as PseudolabelError).code).toBe('E_CONFIG');
    return (error as PseudolabelError).message;
  }
  throw new Error('it was accepted');
}

describe('normalise', () => {
  it('gives every option a value: the best preset on all cores', () => {
    expect(normalise({})).toMatchObject({
      scenario: 'pl',
      preset: 'best',
      hidden: 5000,
      strategy: 'auto',
      workers: availableParallelism(),
    });
  });

  it('takes as many shards on every machine, unless told otherwise: fewer where each has a gradient of its own (case 24)', () => {
    for (const workers of [1, 2, 3, 64]) {
      expect(normalise({ workers }).shards).toBe(8);
      expect(normalise({ workers, strategy: 'tensor', wire: 'bf16' }).shards).toBe(8);
      for (const gradients of [{ strategy: 'data' }, { wire: 'bf16' }, { fastSum: true }] as const)
        expect(normalise({ workers, ...gradients }).shards).toBe(4);
      expect(normalise({ workers, shards: 5 })).toMatchObject({ workers, shards: 5 });
    }
  });

  it('names every option that is wrong, and those it does not know', () => {
    const message = problems({ seed: -1, workers: 0, threshold: 2, refresh: 'daily', sede: 1 });
    for (const name of ['seed', 'workers', 'threshold', 'refresh', 'sede']) expect(message).toContain(name);
    expect(problems(7)).toContain('options');
  });
});

describe('identityOf', () => {
  it('does not change with who computes a run or when it is saved', () => {
    const run = { seed: 4, shards: 4, hidden: 64 };
    const elsewhere = {
      ...run,
      workers: 7,
      checkpointEvery: 9,
      checkpointSeconds: 9,
      keepCheckpoints: 5,
      data: '/elsewhere',
    };
    expect(identityOf(normalise(elsewhere))).toEqual(identityOf(normalise({ ...run, workers: 1 })));
  });

  it('changes with every other option', () => {
    const base = normalise({ shards: 4 });
    const changes = [
      { scenario: 'nn', preset: 'paper', quick: true, seed: 2, labelsPerClass: 3, split: 'random', splitSeed: 2 },
      {
        validation: 5,
        hidden: 32,
        shards: 5,
        strategy: 'tensor',
        fastSum: true,
        maxSteps: 7,
        refresh: 'once',
        threshold: 0.5,
        classShares: 'equal',
        wire: 'bf16',
        set: { 'finetune.steps': 9 },
        model: 'convnet',
        augment: 'digits',
        method: 'fixmatch',
        fresh: true,
        members: 2,
        start: 'runs/other',
      },
    ].flatMap((several) => Object.entries(several));
    // This option shapes only one preset.
    const modern = normalise({ preset: 'modern' });
    expect(identityOf(normalise({ ...modern, effort: 'high' }))).not.toEqual(identityOf(modern));
    // The stages of a run are a separate part of a checkpoint's identity, planned or given (recorder.ts).
    const others = [
      ...Object.keys(DATA_OPTIONS),
      'workers',
      'checkpointEvery',
      'checkpointSeconds',
      'keepCheckpoints',
      'stages',
      'effort',
    ];
    expect([...changes.map(([key]) => key), ...others].sort()).toEqual(Object.keys(optionsSchema.shape).sort());
    for (const [key, value] of changes) {
      expect(identityOf(normalise({ ...base, [key]: value })), key).not.toEqual(identityOf(base));
    }
  });
});

describe('the sums of gradients', () => {
  it('may be rounded on their way to bfloat16', () => {
    for (const wire of ['f32', 'bf16'] as const) expect(normalise({ wire })).toMatchObject({ wire });
    for (const wire of ['f16', 'powersgd:2', 2]) {
      const refused = { code: 'E_CONFIG', message: expect.stringMatching(/^wire: .*"f32"\|"bf16"/) };
      expect(() => normalise({ wire })).toThrow(expect.objectContaining(refused));
    }
  });
});

describe('a config of before, when products had a precision', () => {
  it('is read where that is f32, and refused where it is bf16', () => {
    expect(normalise({ ...normalise({ workers: 1 }), precision: 'f32' })).toEqual(normalise({ workers: 1 }));
    expect(() => normalise({ precision: 'bf16' })).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', message: expect.stringContaining('no longer of bf16') }),
    );
  });
});
