// Tests numbers that are set one by one: which may be named, and the errors for others.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { convnetModel } from '../../../src/models/layers/convnet.js';
import { normalise, type Options } from '../../../src/training/config.js';
import { planOf } from '../../../src/training/plan.js';
import { PRESETS } from '../../../src/training/presets/presets.js';
import { METHOD_CHOICES } from '../../../src/training/presets/with-method.js';
import { SCENARIOS } from '../../../src/training/scenario.js';
import { withSettings } from '../../../src/training/settings.js';
import { optimizerStep, type Stage } from '../../../src/training/stage.js';
import { pathsOf } from '../../../src/training/stage-paths.js';
import { stagesJsonSchema } from '../../../src/training/stage-schema.js';

const TASK = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };
const plan = (options: Options) => planOf(normalise({ hidden: 64, ...options }), TASK);
const DAE = plan({ scenario: 'dae' });

const pathsIn = (stages: readonly Stage[]): string[] => [...new Set(stages.flatMap((stage) => pathsOf(stage).there))];

/** Returns the value at a path of the stages' JSON. */
function valueAt(stages: readonly { readonly name: string }[], path: string): unknown {
  const [name, ...keys] = path.split('.');
  const inside = (container: unknown): unknown =>
    keys.reduce((at: unknown, key) => (at as Record<string, unknown> | undefined)?.[key], container);
  const stage = stages.find((each) => each.name === name)!;
  return inside(stage) ?? inside((stage as unknown as { method: unknown }).method);
}

interface Schema {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly type?: string;
  readonly minimum?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly oneOf?: readonly Schema[];
  readonly anyOf?: readonly Schema[];
}
const SCHEMA = (stagesJsonSchema() as { properties: { stages: { items: Schema } } }).properties.stages.items;

/** Returns a value that the schema allows. */
function exampleOf(schema: Schema): unknown {
  const { oneOf, anyOf, type, properties = {}, required = [] } = schema;
  const first = oneOf?.[0] ?? anyOf?.[0];
  if (first) return exampleOf(first);
  if (schema.const !== undefined || schema.enum) return schema.const ?? schema.enum![0];
  if (type === 'object') return Object.fromEntries(required.map((key) => [key, exampleOf(properties[key]!)]));
  if (type === 'boolean') return true;
  if (type === 'string') return 'word';
  return type === 'integer' ? Math.max(1, schema.minimum ?? 1) : 0.5;
}

/** Returns all optional fields of the schema, within the fields that are there and within those that may be there. */
function optionalFields(
  schema: Schema,
  value: unknown,
  path: readonly string[] = [],
): { path: string; value: unknown }[] {
  const branches = schema.oneOf ?? schema.anyOf;
  const there = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  if (branches) return branches.flatMap((branch) => optionalFields(branch, value, path));
  if (schema.items && Array.isArray(value))
    return value.flatMap((each, i) => optionalFields(schema.items!, each, [...path, String(i)]));
  const words = Object.entries(schema.properties ?? {});
  if (there && words.some(([key, field]) => field.const !== undefined && there[key] !== field.const)) return [];
  return words.flatMap(([key, field]) => {
    const within = [...path, key];
    const isOptional = !schema.required?.includes(key);
    const inside =
      there?.[key] !== undefined || (isOptional && !field.required?.length)
        ? optionalFields(field, there?.[key], within)
        : [];
    return isOptional ? [{ path: within.join('.'), value: exampleOf(field) }, ...inside] : inside;
  });
}

/** Stages of all kinds of optimizers, networks and methods. */
const VARIED: readonly Stage[] = [
  ...plan({ scenario: 'pl' }),
  ...METHOD_CHOICES.filter((method) => method !== 'supervised').flatMap((method) => plan({ scenario: 'pl', method })),
  ...plan({
    scenario: 'pl',
    set: { 'finetune.optimizer': { kind: 'sgd' }, 'finetune.rate': { kind: 'constant', value: 0.1 } },
  }),
  ...plan({ scenario: 'pl', preset: 'paper', set: { 'finetune.refresh': 'step' } }),
  ...plan({ scenario: 'pl' }).map((stage) => ({ ...stage, model: convnetModel([28, 28, 1], 10) })),
].filter(({ name }) => name === 'finetune');

/** Errors of rules between the fields of a graph. What these rules refuse is a valid field by itself. */
const BETWEEN_FIELDS = /smooth: labels that are not mixed|mix: a network predicts/;

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
        for (const path of pathsIn(stages)) {
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
      ['learning_rate', 'finetune.rate.initial'],
      ['finetune.lr', 'finetune.rate.initial'],
      ['batch_size', 'finetune.batch'],
    ] as const) {
      const refused = expect.objectContaining({ code: 'E_CONFIG', fix: expect.stringContaining(near) });
      expect(() => withSettings(DAE, { [path]: 1 }), path).toThrow(refused);
    }
  });

  it('of several parts is refused as one number, with the names of its parts', () => {
    const message = expect.stringMatching(/finetune\.rate has several parts: .*finetune\.rate\.initial/);
    const refused = expect.objectContaining({ code: 'E_CONFIG', message });
    expect(() => withSettings(DAE, { 'finetune.rate': 0.1 })).toThrow(refused);
  });

  it('with a letter of one part changed is refused, and the path that was meant is suggested', () => {
    const paths = pathsIn(DAE);
    const change = fc.constantFrom('double', 'drop', 'other');
    fc.assert(
      fc.property(
        fc.constantFrom(...paths),
        change,
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (path, how, where) => {
          const at = Math.floor(where * path.length);
          const letter = path[at]!;
          fc.pre(/[a-z]/i.test(letter));
          const wrong = path.slice(0, at) + { double: letter + letter, drop: '', other: 'q' }[how] + path.slice(at + 1);
          const fix = expect.stringMatching(new RegExp(`${path.replaceAll('.', '\\.')}[,?]`));
          expect(() => withSettings(DAE, { [wrong]: 1 })).toThrow(expect.objectContaining({ code: 'E_CONFIG', fix }));
        },
      ),
    );
  });

  it('may be any optional field of the schema, in a stage that leaves it out', () => {
    const found = new Set<string>();
    for (const stage of VARIED) {
      for (const { path, value } of optionalFields(SCHEMA, stage)) {
        found.add(path);
        const set = () => withSettings([stage], { [`finetune.${path}`]: value })[0]!;
        if (/graph\.(mix|smooth)/.test(path)) expect(set).toThrow(BETWEEN_FIELDS);
        else expect(valueAt([set()], `finetune.${path}`), path).toStrictEqual(value);
      }
    }
    const some = ['average', 'clip', 'rate.warmup', 'optimizer.weightDecay', 'augment.weak.hue', 'model.members'];
    expect([...found]).toEqual(expect.arrayContaining(some));
  });

  it('of an average is one that the method asks for', () => {
    const [stage] = plan({ scenario: 'pl', method: 'mean-teacher' });
    const { average: _, ...without } = stage!;
    expect(() => withSettings([without], { 'finetune.steps': 7 })).toThrow(/needs `average`/);
    expect(withSettings([without], { 'finetune.average': 0.9 })).toStrictEqual([{ ...without, average: 0.9 }]);
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
