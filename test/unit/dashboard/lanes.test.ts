// Tests the lanes of a node: never two tasks in one lane, and no task forgotten.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Workspaces } from '../../../worker/thread-pool.js';

describe('lanes', () => {
  it('are each given to one at a time, to those that wait in their order', async () => {
    const workspaces = new Workspaces(2);
    expect(new Set([await workspaces.take(), await workspaces.take()])).toEqual(new Set([0, 1]));
    const got: string[] = [];
    const waiting = ['first', 'second', 'third'].map(async (who) => got.push(`${who} ${await workspaces.take()}`));
    workspaces.give(1);
    workspaces.give(0);
    await Promise.all(waiting.slice(0, 2));
    expect(got).toEqual(['first 1', 'second 0']);
    workspaces.give(0);
    await Promise.all(waiting);
    expect(got).toEqual(['first 1', 'second 0', 'third 0']);
  });

  it('are never shared and never lost, whatever the order of tasks', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.nat(30), fc.scheduler(), async (count, tasks, scheduler) => {
        const workspaces = new Workspaces(count);
        const busy = new Set<number>();
        const task = async () => {
          await scheduler.schedule(Promise.resolve());
          const workspace = await workspaces.take();
          expect(busy.has(workspace)).toBe(false);
          busy.add(workspace);
          expect(busy.size).toBeLessThanOrEqual(count);
          await scheduler.schedule(Promise.resolve());
          busy.delete(workspace);
          workspaces.give(workspace);
        };
        const all = Promise.all(Array.from({ length: tasks }, task));
        await scheduler.waitFor(all);
        const taken = await Promise.all(Array.from({ length: count }, () => workspaces.take()));
        expect(new Set(taken).size).toBe(count);
      }),
    );
  });
});
