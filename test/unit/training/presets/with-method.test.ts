// Tests how --method changes the preset best, and how images are then augmented.
import { describe, expect, it } from 'vitest';
import { AUGMENTATIONS } from '../../../../src/data/augmentation.js';
import { normalise, type Options } from '../../../../src/training/config.js';
import { planOf } from '../../../../src/training/plan.js';
import { augmentationLine, METHOD_CHOICES } from '../../../../src/training/presets/with-method.js';
import { publishedFor, rowName } from '../../../../src/training/scenario.js';
import { stagesSchema } from '../../../../src/training/stage-schema.js';
import { strategyOf } from '../../../../src/training/strategy-choice.js';

const GREY = { height: 28, width: 28, channels: 1 };
const TASK = { pixels: 784, classes: 10, hidden: [64], images: GREY, labelled: 100, unlabelled: 59_900 };
const plan = (options: Options, task = TASK) => planOf(normalise({ hidden: 64, ...options }), task);

describe('a method of its own', () => {
  it.each(METHOD_CHOICES)('%s makes stages that a file of stages can hold, whole and quick', (method) => {
    for (const quick of [false, true])
      for (const scenario of ['pl', 'dae'] as const) {
        const stages = plan({ method, quick, scenario });
        expect(stagesSchema.parse(JSON.parse(JSON.stringify(stages)))).toEqual(stages);
        expect(stages.at(-1)!.method.name).toBe(method);
        for (const stage of stages) strategyOf(normalise({}), stage);
      }
  });

  it('leaves the stages as they are where it is the preset’s, and trains by labels alone where it is none', () => {
    expect(plan({ method: 'pseudo-label' })).toEqual(plan({}));
    expect(plan({ method: 'supervised' })).toEqual(plan({ scenario: 'drop' }));
  });

  it('has the numbers that it was chosen with, and those of the options', () => {
    const [stage] = plan({ method: 'fixmatch', threshold: 0.7, classShares: 'off' });
    expect(stage!.method).toMatchObject({ name: 'fixmatch', threshold: 0.7 });
    expect(stage!.method).not.toHaveProperty('balance');
    const [held] = plan({ method: 'label-propagation', classShares: 'equal' });
    expect(held!.method).toMatchObject({ balance: 'equal' });
  });

  it('refuses options that have no effect on it', () => {
    const idle: readonly Options[] = [
      { method: 'freematch', threshold: 0.9 },
      { method: 'fixmatch', refresh: 'once' },
      { method: 'label-propagation', classShares: 'estimate' },
      { method: 'fixmatch', scenario: 'nn' },
      { method: 'fixmatch', preset: 'paper' },
    ];
    for (const options of idle)
      expect(() => plan(options)).toThrow(expect.objectContaining({ code: 'E_CONFIG', fix: expect.any(String) }));
  });

  it('names the run, which no published figure is held against', () => {
    expect([rowName({ scenario: 'pl', method: 'freematch' }), rowName({ scenario: 'dae' })]).toEqual([
      'FreeMatch',
      'DropNN+PL+DAE',
    ]);
    expect(publishedFor('pl', { method: 'freematch' })).toBeUndefined();
    expect(publishedFor('pl', {})).toBeDefined();
  });
});

describe('how images are changed where nobody says how', () => {
  const task = (images: typeof GREY | undefined) => ({ ...TASK, images }) as typeof TASK;

  it('is as digits or colours for methods that need views, and said', () => {
    const colour = { ...GREY, channels: 3 };
    for (const method of METHOD_CHOICES) {
      const augments = method !== 'supervised' && method !== 'pseudo-label';
      const wanted = method === 'label-propagation' ? AUGMENTATIONS.mild : AUGMENTATIONS.digits;
      const [grey, coloured] = [GREY, colour].map((images) => plan({ method }, task(images)).at(-1)!);
      expect(grey!.augment).toEqual(augments ? { labelled: wanted, unlabelled: wanted } : undefined);
      expect(coloured!.augment?.unlabelled).toEqual(augments ? AUGMENTATIONS.colour : undefined);
      const line = augmentationLine({ method }, { images: colour });
      expect(line?.startsWith('augment: colour, since ') ?? false).toBe(augments);
    }
  });

  it('is left to whoever says it, and nothing without a size of the images', () => {
    expect(plan({ method: 'fixmatch', augment: 'none' }).at(-1)!.augment).toBeUndefined();
    expect(plan({ method: 'fixmatch', augment: 'shift' }).at(-1)!.augment!.labelled).toEqual(AUGMENTATIONS.shift);
    expect(augmentationLine({ method: 'fixmatch', augment: 'shift' }, { images: GREY })).toBeUndefined();
    expect(plan({ method: 'fixmatch' }, task(undefined)).at(-1)!.augment).toBeUndefined();
  });
});
