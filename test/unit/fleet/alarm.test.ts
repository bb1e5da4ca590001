// Alarms ring in time, unless it was this process that stood still.
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { alarm } from '../../../coordinator/fleet/alarm.js';

function standStill(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

it('an alarm rings once, after its time, and not when it was cancelled', async () => {
  const began = performance.now();
  const [rings, cancelled] = [vi.fn(() => performance.now() - began), vi.fn()];
  alarm(20, rings);
  alarm(20, cancelled)();
  await vi.waitFor(() => expect(rings).toHaveBeenCalledTimes(1), { timeout: 60_000 });
  // Timers are as much as a millisecond early.
  expect(rings.mock.results[0]!.value).toBeGreaterThan(18);
  await sleep(50);
  expect(rings).toHaveBeenCalledTimes(1);
  expect(cancelled).not.toHaveBeenCalled();
});

it('an alarm that comes due while the process stands still leaves time for what arrived meanwhile', async () => {
  const rings = vi.fn();
  const cancel = alarm(30, rings);
  // Two turns of the event loop later, as an answer that is read, checked and understood.
  setImmediate(() => setImmediate(cancel));
  standStill(300);
  await sleep(100);
  expect(rings).not.toHaveBeenCalled();
});

it('an alarm that came due while the process stood still rings soon after, where nothing arrived', async () => {
  const rings = vi.fn();
  alarm(30, rings);
  standStill(300);
  await vi.waitFor(() => expect(rings).toHaveBeenCalledTimes(1), { timeout: 60_000 });
});
