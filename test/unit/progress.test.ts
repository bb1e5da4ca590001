// Tests the progress of a gradient, by which sums wait for its parts.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { attachArena, type Regions } from '../../src/engine/arena.js';
import { GradientProgress } from '../../src/engine/gradient-progress.js';

function progressOf(shards: number): GradientProgress {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const arena = attachArena(memory, { shards } as never, {} as never);
  return new GradientProgress({ ...arena, regions: { ...arena.regions, progress: 0 } as Regions });
}

const never = new Promise<never>(() => undefined);

it('tells whoever waits when enough of a gradient is there, and not before', async () => {
  const progress = progressOf(2);
  let isThere = false;
  const there = progress.until(1, 200, never).then(() => {
    isThere = true;
  });
  progress.reached(0, 1000);
  progress.reached(1, 199);
  for (let i = 0; i < 3; i++) await turn();
  expect(isThere).toBe(false);
  progress.reached(1, 201);
  await there;
  await progress.until(1, 201, never);
});

it('does not go back where a gradient is computed again, but for the next one', async () => {
  const progress = progressOf(1);
  progress.reached(0, 500);
  progress.reached(0, 100);
  await progress.until(0, 500, never);
  progress.begin([0]);
  await expect(progress.until(0, 1, Promise.reject(new Error('lost')))).rejects.toThrow('lost');
});

it('does not wait for what will not come: the work has ended', async () => {
  await progressOf(1).until(0, 1, Promise.resolve());
  let lose: (error: Error) => void = () => undefined;
  const lost = new Promise((_, reject) => {
    lose = reject;
  });
  const waiting = expect(progressOf(1).until(0, 1, lost)).rejects.toThrow('lost');
  await turn();
  lose(new Error('lost'));
  await waiting;
});
