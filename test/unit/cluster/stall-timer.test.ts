// Tests that timers ring in time, unless this process was suspended.
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { stallTimer } from '../../../coordinator/executors/cluster/deadlines.js';
import { ManualClock } from '../../manual-clock.js';

/**
 * Waits until every timer that was due has rung. A stall timer takes one turn of the event loop more than its timer.
 */
async function turns(): Promise<void> {
  for (let i = 0; i < 3; i++) await turn();
}

it('an alarm rings once, after its time, and not when it was cancelled', async () => {
  const clock = new ManualClock();
  const [rings, cancelled] = [vi.fn(), vi.fn()];
  stallTimer(clock, 20, rings);
  stallTimer(clock, 20, cancelled)();
  clock.advance(19);
  await turns();
  expect(rings).not.toHaveBeenCalled();
  clock.advance(1);
  await turns();
  clock.advance(1000);
  await turns();
  expect(rings).toHaveBeenCalledTimes(1);
  expect(cancelled).not.toHaveBeenCalled();
});

it('an alarm that comes due while the process stands still leaves time for what arrived meanwhile', async () => {
  const clock = new ManualClock();
  const rings = vi.fn();
  const cancel = stallTimer(clock, 30, rings);
  clock.standStill(300);
  await turns();
  clock.advance(29);
  await turns();
  expect(rings).not.toHaveBeenCalled();
  // The answer has been read, checked and understood by now.
  cancel();
  clock.advance(1000);
  await turns();
  expect(rings).not.toHaveBeenCalled();
});

it('an alarm that came due while the process stood still rings soon after, where nothing arrived', async () => {
  const clock = new ManualClock();
  const rings = vi.fn();
  stallTimer(clock, 30, rings);
  clock.standStill(300);
  clock.advance(30);
  await turns();
  expect(rings).toHaveBeenCalledTimes(1);
});

it('an alarm can still be cancelled when it has come due and not rung yet', async () => {
  const clock = new ManualClock();
  const rings = vi.fn();
  const cancel = stallTimer(clock, 30, rings);
  clock.advance(30);
  cancel();
  await turns();
  expect(rings).not.toHaveBeenCalled();
});
