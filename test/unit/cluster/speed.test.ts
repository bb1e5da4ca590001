// Tests how the speed of a member is measured.
import { describe, expect, it } from 'vitest';
import { Speed } from '../../../coordinator/executors/cluster/machine.js';

const ROWS = 100;

/** Returns the speed of a member that took these milliseconds for its first steps. */
function after(...milliseconds: readonly number[]): Speed {
  const speed = new Speed();
  for (const each of milliseconds) speed.add(ROWS, each);
  return speed;
}

describe('the speed of a machine', () => {
  it('is not known from its first steps, which are slow', () => {
    expect(after(500, 80, 40).rowsPerMillisecond).toBeUndefined();
    expect(after(500, 80, 40, 10).rowsPerMillisecond).toBe(10);
  });

  it('follows a change in some ten steps, and an outlier hardly', () => {
    const steady = [1, 1, 1, 10, 10, 10];
    expect(after(...steady, 100).rowsPerMillisecond).toBeCloseTo(9.1, 9);
    const slower = after(...steady, ...Array<number>(20).fill(100)).rowsPerMillisecond!;
    expect(slower).toBeGreaterThan(1);
    expect(slower).toBeLessThan(2.2);
  });

  it('is believed to be higher the longer it has had nothing to do, so that one slow step does not leave it out for ever', () => {
    const speed = after(1, 1, 1, 200);
    const measured = speed.rowsPerMillisecond!;
    let steps = 0;
    for (; speed.rowsPerMillisecond! < 20 * measured; steps++) speed.skippedStep();
    expect(steps).toBeGreaterThan(300);
    expect(steps).toBeLessThan(1000);
  });

  it('stays unknown while it is not measured', () => {
    const speed = new Speed();
    for (let step = 0; step < 10; step++) speed.skippedStep();
    expect(speed.rowsPerMillisecond).toBeUndefined();
  });
});
