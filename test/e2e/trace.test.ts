// Tests --trace on a real run.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readTrace } from '../trace-format.js';
import { pseudolabel } from './command.js';

it.each([
  { strategy: 'auto', tasks: { 'tensor-step': 2 } },
  { strategy: 'data', tasks: { gradient: 3, update: 2 } },
])(
  'train --trace shows every step of every stage on the lanes of the coordinator and the workers: $strategy',
  async ({ strategy, tasks }) => {
    const root = await mkdtemp(join(tmpdir(), 'pseudolabel-trace-'));
    try {
      const [out, trace] = [join(root, 'run'), join(root, 'trace.json')];
      const sizes = ['--hidden', '64', '--max-steps', '4', '--workers', '2', '--shards', '3'];
      const options = ['--scenario', 'dae', '--strategy', strategy, ...sizes];
      const ended = await pseudolabel('train', ...options, '--out', out, '--trace', trace);
      expect(ended).toMatchObject({ exit: 0 });
      const { slices, lanes } = readTrace(await readFile(trace, 'utf8'));
      expect([...lanes.values()].map((name) => name.replace(/\d+/, 'N'))).toEqual([
        'coordinator',
        'worker N',
        'worker N',
      ]);
      const steps = slices.filter(({ name }) => name === 'step');
      expect(steps.map(({ args }) => [args.stage, args.step])).toEqual(
        [0, 1].flatMap((s) => [0, 1, 2, 3].map((k) => [s, k])),
      );

      // One clock: what the workers did for a step lies within it, in the coordinator's lane.
      for (const { ts, dur, args } of steps) {
        const done = slices.filter(
          (slice) => slice.cat === 'worker' && slice.args.stage === args.stage && slice.args.step === args.step,
        );
        for (const [task, count] of Object.entries(tasks))
          expect(done.filter(({ name }) => name === task).length, task).toBeGreaterThanOrEqual(count);
        for (const slice of done) {
          expect(slice.ts).toBeGreaterThanOrEqual(ts);
          expect(slice.ts + slice.dur).toBeLessThanOrEqual(ts + dur + 0.001);
        }
      }
    } finally {
      await rm(root, { recursive: true });
    }
  },
);
