// Numbers that are set one by one: what may be named, and what is said where nothing is.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalise, type Options, PRESETS } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import { SCENARIOS } from '../../../src/training/scenario.js';
import { pathsOf, withSettings } from '../../../src/training/settings.js';
import { optimizerStep } from '../../../src/training/stage.js';

const TASK = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };
const plan = (options: Options) => planOf(normalise({ hidden: 64, ...options }), TASK);
const DAE = plan({ scenario: 'dae' });

/** The value at a path of the stages' JSON. */
function valueAt(stages: readonly { readonly name: string }[], path: string): unknown {
  const [name, ...keys] = path.split('.');
  const inside = (container: unknown): unknown =>
    keys.reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], container);
  const stage = stages.find((each) => each.name === name)!;
  return inside(stage) ?? inside((stage as unknown as { method: unknown }).method);
}

describe('a setting', () => {
  it('that is not there is one of those with its parts, each said once', () => {
    const fixOf = (path: string): string => {
      try {
        withSettings(plan({ scenario: 'pl' }), { [path]: 1 });
        return '';
      } catch (error) {
        return (error as { fix: string }).fix;
      }
    };
    expect(fixOf('rate')).toContain('did you mean finetune.rate.initial');
    expect(fixOf('finetune.nmae')).toMatch(/did you mean finetune\.name(?!.*finetune\.name\b)/);
  });

  it('names any number or word of any preset, and changes that alone', () => {
    for (const preset of PRESETS) {
      for (const scenario of SCENARIOS) {
        const stages = plan({ preset, scenario });
        for (const path of pathsOf(stages)) {
          const same = { [path]: valueAt(stages, path) };
          expect(withSettings(stages, same), path).toStrictEqual(stages);
        }
      }
    }
  });

  it('may be the first of how images are changed in a view', () => {
    const set = { 'finetune.augment.weak.shift': 2, 'finetune.augment.unlabelled.rotate': 5 };
    const [stage] = withSettings(plan({ scenario: 'pl' }), set);
    expect(stage!.augment).toEqual({ weak: { shift: 2 }, unlabelled: { rotate: 5 } });
    expect(() => withSettings(plan({ scenario: 'pl' }), { 'finetune.augment.week.shift': 2 })).toThrow(/there is no/);
  });

  it('is in the stages that are trained', () => {
    const set = { 'finetune.rate.initial': 3e-4, 'finetune.threshold': 0.7, 'pretrain.method.noise': 0.25 };
    const [pretrain, finetune] = plan({ scenario: 'dae', set });
    expect(pretrain).toStrictEqual({ ...DAE[0], method: { ...DAE[0]!.method, noise: 0.25 } });
    expect(finetune).toMatchObject({ rate: { initial: 3e-4, final: 1e-4 }, method: { threshold: 0.7 } });
  });

  it('can be a whole part, and one that the preset leaves out', () => {
    const rate = { kind: 'constant', value: 0.01 };
    const balance = { momentum: 0.9, shares: 'equal' };
    const set = { 'finetune.rate': rate, 'finetune.method.refresh': 'step', 'finetune.balance': balance };
    expect(plan({ scenario: 'pl', preset: 'paper', set })[0]).toMatchObject({ rate, method: { balance } });
  });

  it('clips the gradients of a stage, and of that alone', () => {
    const [pretrain, finetune] = plan({ scenario: 'dae', set: { 'finetune.clip': 0.5 } });
    expect(pretrain).toStrictEqual(DAE[0]);
    expect(optimizerStep(finetune!, 7)).toStrictEqual({ ...optimizerStep(DAE[1]!, 7), clip: 0.5 });
    expect(() => plan({ set: { 'finetune.clip': 0 } })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
  });

  it('that names nothing is refused with the paths that are spelled alike', () => {
    for (const [path, near] of [
      ['finetune.rate.initail', 'finetune.rate.initial'],
      ['finetune.thresold', 'finetune.threshold'],
      ['fine-tune.steps', 'finetune.steps'],
      ['finetune', 'finetune.'],
      ['pretrain.optimizer.beta', 'pretrain.optimizer.beta1'],
    ] as const) {
      const refused = expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining(near) });
      expect(() => withSettings(DAE, { [path]: 1 }), path).toThrow(refused);
    }
  });

  it('that is no path is refused, whatever it is', () => {
    const paths = new Set(pathsOf(DAE));
    fc.assert(
      fc.property(fc.string(), (path) => {
        fc.pre(!paths.has(path) && !/^(pretrain|finetune)\.(method|model|rate|optimizer|alpha|balance)/.test(path));
        expect(() => withSettings(DAE, { [path]: 1 })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
      }),
    );
  });

  it.each([
    ['finetune.steps', 0],
    ['finetune.threshold', 2],
    ['finetune.refresh', 'sometimes'],
    ['finetune.alpha.t1', 1e9],
    ['pretrain.start', 'previous'],
    ['finetune.model.layers.0.units', 65],
  ])('beyond the limits is refused with its place: %s=%j', (path, value) => {
    expect(() => withSettings(DAE, { [path]: value })).toThrow(
      expect.objectContaining({ code: 'E_CONFIG', message: expect.stringContaining('set: ') }),
    );
  });
});

describe("stages of the user's own", () => {
  it('are trained as they are, and take no option that shapes a preset', () => {
    const stages = JSON.parse(JSON.stringify(DAE)) as never;
    const own = { preset: 'custom', scenario: 'dae', stages } as const;
    expect(plan(own)).toStrictEqual(DAE);
    expect(plan({ ...own, set: { 'finetune.steps': 7 } })[1]).toMatchObject({ steps: 7 });
    for (const more of [{ quick: true }, { threshold: 0.5 }, { refresh: 'step' }, { classShares: 'off' }] as const)
      expect(() => normalise({ ...own, ...more })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    expect(() => plan({ preset: 'custom' })).toThrow('custom has no stages');
  });
});
