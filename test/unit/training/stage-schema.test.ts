// Tests stages as JSON: what a run writes into config.json is read back unchanged, and nothing else is accepted.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { normalise, type Options } from '../../../src/training/config.js';
import { changesOfPlan, planOf } from '../../../src/training/plan.js';
import { PRESETS } from '../../../src/training/presets/presets.js';
import { SCENARIOS } from '../../../src/training/scenario.js';
import { pseudoLabelsOf } from '../../pseudo-labels.js';

const TASK = { pixels: 784, classes: 10, hidden: [64], labelled: 100, unlabelled: 60_000 };
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
/** Returns the config of a run as its config.json has it. */
const savedBy = (options: Options) => {
  const config = normalise({ hidden: 64, ...options });
  return { ...(asJson(config) as Options), stages: asJson(planOf(config, TASK)) };
};
const every = PRESETS.flatMap((preset) => SCENARIOS.map((scenario) => ({ preset, scenario })));

describe('the stages in a config', () => {
  it.each(every)('are those that it came to when it began: $preset, $scenario (case 30)', (options) => {
    for (const more of [{}, { quick: true }, { threshold: 0.123 }] as const) {
      const config = normalise({ hidden: 64, ...options, ...more });
      const read = normalise(savedBy({ ...options, ...more }));
      expect(planOf(read, TASK)).toStrictEqual(planOf(config, TASK));
      expect(changesOfPlan(read, TASK)).toEqual([]);
    }
  });

  it('hold whatever the preset says later, and what has changed is named (case 30)', () => {
    const saved = savedBy({ scenario: 'dae' });
    const [pretrain, finetune] = saved.stages as [object, { method: object }];
    const other = { ...finetune, method: { ...finetune.method, threshold: 0.6 }, steps: 77 };
    const read = normalise({ ...saved, stages: [pretrain, other] });
    expect(planOf(read, TASK)[1]).toMatchObject({ steps: 77, method: { threshold: 0.6 } });
    const now = planOf(normalise({ hidden: 64, scenario: 'dae' }), TASK)[1]!;
    expect(changesOfPlan(read, TASK)).toEqual([
      `finetune.steps is 77, ${now.steps} by the preset best`,
      `finetune.method.threshold is 0.6, ${pseudoLabelsOf(now)!.threshold} by the preset best`,
    ]);
  });

  it('have to fit the data set (case 30)', () => {
    const read = normalise(savedBy({ scenario: 'pl' }));
    for (const other of [{ pixels: 4 }, { classes: 26 }]) {
      expect(() => planOf(read, { ...TASK, ...other })).toThrow(expect.objectContaining({ code: 'E_CONFIG' }));
    }
  });

  it('hold pseudo-labels to shares of as many classes as there are, and only fresh ones (case 2)', () => {
    const saved = savedBy({ scenario: 'pl' });
    const [stage] = saved.stages as [{ method: { balance: object } }];
    const { method } = stage;
    const withPseudo = (more: object) =>
      normalise({ ...saved, stages: [{ ...stage, method: { ...method, ...more } }] });
    const sharesOf = (count: number) => ({ ...method.balance, shares: new Array<number>(count).fill(1 / count) });
    expect(pseudoLabelsOf(planOf(withPseudo({ balance: sharesOf(10) }), TASK)[0]!)!.balance).toEqual(sharesOf(10));
    expect(() => planOf(withPseudo({ balance: sharesOf(9) }), TASK)).toThrow('9 shares for 10 classes');
    expect(() => withPseudo({ refresh: 'once' })).toThrow('fresh at each step');
  });

  it('are refused with the place of what is wrong, wherever it is (case 30)', () => {
    const saved = savedBy({ scenario: 'dae', preset: 'paper' });
    const places = [...leaves(saved.stages, [])];
    fc.assert(
      fc.property(fc.constantFrom(...places), fc.constantFrom(-1, null, 'x', Number.NaN, {}), (place, value) => {
        const stages = replaced(saved.stages, place, value);
        const names = (saved.stages as { name: string }[]).map(({ name }) => name);
        const at = place[1] === 'name' ? `stages.${place[0]}.name` : `${names[Number(place[0])]}.${place[1]}`;
        expect(() => normalise({ ...saved, stages })).toThrow(
          expect.objectContaining({ code: 'E_CONFIG', message: expect.stringContaining(at) }),
        );
      }),
    );
    const [first, ...others] = saved.stages as object[];
    expect(() => normalise({ ...saved, stages: [{ ...first, more: 1 }, ...others] })).toThrow('more');
    expect(() => normalise({ ...saved, stages: [] })).toThrow('stages');
    expect(() => normalise({ ...saved, stages: others })).toThrow('fresh');
    expect(() => normalise({ ...saved, stages: [{ ...first, steps: 'ten' }, ...others] })).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/^pretrain\.steps: /),
        fix: 'see `pseudolabel preset --schema` for the limits',
      }),
    );
    const both = { ...saved, seed: -1, stages: [{ ...first, steps: 'ten' }, ...others] };
    expect(() => normalise(both)).toThrow(expect.objectContaining({ fix: expect.stringContaining('train --help') }));
  });
});

/** Yields the paths to every value that is not an object. */
function* leaves(value: unknown, at: readonly string[]): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) yield at;
  else for (const [key, member] of Object.entries(value)) yield* leaves(member, [...at, key]);
}

function replaced(value: unknown, [key, ...rest]: readonly string[], by: unknown): unknown {
  if (key === undefined) return by;
  const members = value as Record<string, unknown>;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value) ? [...value] : { ...members };
  (copy as Record<string, unknown>)[key] = replaced(members[key], rest, by);
  return copy;
}
