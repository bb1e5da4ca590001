// Tests a coordinator that is killed repeatedly, in each phase of a run, while its nodes go on. They wait and find it
// again at the same address, and the run ends with the bits of an undisturbed one.
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { operatorOfFile, SMALL, signalling } from './cluster.js';
import type { Place } from './wire.js';

/**
 * A place, counted from the start of the coordinator that is killed there. goesOn tells whether a checkpoint was found
 * or had not been written yet.
 */
type Kill = Place & { readonly when: string; readonly goesOn: RegExp };

const LABELLING: Kill = {
  when: 'it has had images labelled',
  to: 'coordinator',
  kind: 'predicted',
  nth: 2,
  goesOn: /has no checkpoint yet/,
};
const BY_ROWS: readonly Kill[] = [
  LABELLING,
  { when: 'gradients are computed', to: 'worker', kind: 'gradients', nth: 11, goesOn: /goes on at step 8 / },
  { when: 'it sends the total', to: 'worker', kind: 'total', nth: 6, goesOn: /goes on at step 8 / },
  // At step 16 the checkpoint is being written, or has been.
  { when: 'it saves a checkpoint', to: 'coordinator', kind: 'updated', nth: 8, goesOn: /goes on at step (8|16) / },
];
const BY_HIDDEN_UNITS: readonly Kill[] = [
  LABELLING,
  { when: 'logits are computed', to: 'worker', kind: 'forward', nth: 11, goesOn: /goes on at step 8 / },
  { when: 'it sends their gradient', to: 'worker', kind: 'backward', nth: 6, goesOn: /goes on at step 8 / },
  // State is fetched first for labels at step 12, then for the checkpoint of step 16.
  { when: 'state is fetched', to: 'coordinator', kind: 'collected', nth: 2, goesOn: /goes on at step (8|16) / },
];

const operator = operatorOfFile();

it.each([
  { strategy: 'data', kills: BY_ROWS },
  { strategy: 'auto', kills: BY_HIDDEN_UNITS },
])(
  'a coordinator killed in any phase is found again by its nodes, and ends on the same bits: $strategy',
  async (by) => {
    const { strategy, kills } = by;
    const small = [...SMALL, '--strategy', strategy];
    const [alone, killed] = [`alone-${strategy}`, `killed-${strategy}`];
    const expected = await operator.alone(alone, small);
    const nodes = ['--nodes', '2', '--no-local'];
    let coordinator = await operator.coordinator(killed, [...small, ...nodes]);
    const { address } = coordinator;
    const wire = await operator.wireTo(coordinator);
    const workers = [operator.worker(wire, 'one'), operator.worker(await operator.wireTo(coordinator, 10), 'two')];
    for (const { when, goesOn, ...place } of kills) {
      await wire.at(place, signalling(coordinator, 'SIGKILL'));
      await coordinator.ended;
      // A kill at a worse moment may leave this file.
      await writeFile(join(operator.out(killed), 'metrics.jsonl.tmp-0badcafe'), 'half a li');
      const flags = ['--resume', operator.out(killed), ...nodes];
      coordinator = await operator.coordinator(undefined, flags, address);
      await coordinator.says('two joined');
      await coordinator.says('one joined');
      await expect.poll(() => coordinator.said(), { message: when }).toMatch(goesOn);
    }
    expect((await coordinator.ended).exit).toBe(0);
    expect(await operator.sha(killed)).toBe(expected);
    for (const { ended } of workers) {
      const { exit, stderr } = await ended;
      expect(exit).toBe(0);
      expect(stderr.match(/joining again/g)).toHaveLength(kills.length);
      expect(stderr).toContain('the run is over');
    }
    const left = await readdir(operator.out(killed), { recursive: true });
    expect(left.filter((name) => name.includes('.tmp-'))).toEqual([]);
  },
);
