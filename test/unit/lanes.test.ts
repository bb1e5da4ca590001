// The lanes of a node: never two tasks in one, and none forgotten.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Lanes } from '../../worker/lanes.js';

describe('lanes', () => {
  it('are each given to one at a time, to those that wait in their order', async () => {
    const lanes = new Lanes(2);
    expect(new Set([await lanes.take(), await lanes.take()])).toEqual(new Set([0, 1]));
    const got: string[] = [];
    const waiting = ['first', 'second', 'third'].map(async (who) => got.push(`${who} ${await lanes.take()}`));
    lanes.give(1);
    lanes.give(0);
    await Promise.all(waiting.slice(0, 2));
    expect(got).toEqual(['first 1', 'second 0']);
    lanes.give(0);
    await Promise.all(waiting);
    expect(got).toEqual(['first 1', 'second 0', 'third 0']);
  });

  it('are never shared and never lost, whatever the order of tasks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.nat(30), fc.scheduler(), async (count, tasks, scheduler) => {
        const lanes = new Lanes(count);
        const busy = new Set<number>();
        const task = async () => {
          await scheduler.schedule(Promise.resolve());
          const lane = await lanes.take();
          expect(busy.has(lane)).toBe(false);
          busy.add(lane);
          expect(busy.size).toBeLessThanOrEqual(count);
          await scheduler.schedule(Promise.resolve());
          busy.delete(lane);
          lanes.give(lane);
        };
        const all = Promise.all(Array.from({ length: tasks }, task));
        await scheduler.waitFor(all);
        const taken = await Promise.all(Array.from({ length: count }, () => lanes.take()));
        expect(new Set(taken).size).toBe(count);
      }),
    );
  });
});
