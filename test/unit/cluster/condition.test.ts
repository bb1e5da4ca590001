// Tests that waits are not silent: what is waited for is said at once, and again every few seconds.
import { expect, it } from 'vitest';
import { Condition } from '../../../coordinator/executors/cluster/deadlines.js';
import { ManualClock } from '../../manual-clock.js';

it('says at once and at least every five seconds that it waits, and how long, until it need not (case 31)', async () => {
  const clock = new ManualClock();
  const condition = new Condition();
  const left: number[] = [];
  let isThere = false;
  const waiting = condition.metWithin(
    300_000,
    () => isThere,
    clock,
    (each) => left.push(each / 1000),
  );
  expect(left).toEqual([300]);
  clock.advance(13_000);
  expect(left).toEqual([300, 296, 292, 288]);
  isThere = true;
  condition.changed();
  expect(await waiting).toBe(true);
  clock.advance(60_000);
  expect(left.length).toBe(4);
});

it('says nothing where there is nothing to wait for', async () => {
  const said: number[] = [];
  expect(
    await new Condition().metWithin(
      1000,
      () => true,
      new ManualClock(),
      (left) => said.push(left),
    ),
  ).toBe(true);
  expect(said).toEqual([]);
});
