// Tests when a stage with nodes is judged: over enough steps of its most expensive kind, and once.
import { describe, expect, it } from 'vitest';
import { StepTiming } from '../../../coordinator/executors/cluster/step-timing.js';
import { ManualClock } from '../../manual-clock.js';

/** Returns a run of steps of any length. One machine alone would need 20 ms for a step. */
function run() {
  const told: string[] = [];
  const clock = new ManualClock();
  let bytes = 0;
  const stepTiming = new StepTiming(clock, (slowdownWarning) => told.push(slowdownWarning));
  const steps = (
    count: number,
    milliseconds: number,
    { stage = 0, unlabelled = true, nodes = 1, isMeasured = true } = {},
  ) => {
    for (let step = 0; step < count; step++) {
      const end = stepTiming.begin({ stage, labelled: 10, unlabelled: unlabelled ? 90 : 0 });
      clock.advance(milliseconds);
      bytes += 3e6;
      const status = { bytesSent: bytes, bytesReceived: bytes / 2 };
      end(
        { strategy: 'data', canBeTensor: true },
        () => (isMeasured ? { alone: 20, slowest: 10, update: 0 } : undefined),
        Array.from({ length: nodes }, () => ({ status, gigabits: 1 })),
      );
    }
  };
  return { stepTiming, told, steps };
}

describe('the step timing of a run with nodes', () => {
  it('is told when it has been seen for long enough, once a stage', () => {
    const { told, steps } = run();
    steps(19, 50);
    expect(told).toEqual([]);
    steps(1, 50);
    expect(told).toEqual([expect.stringContaining('a step of 100 rows takes 50 ms, and would take 20 there')]);
    expect(told[0]).toContain('3.0 MB to and 1.5 MB from each node at 1.0 Gbit/s');
    steps(100, 50);
    expect(told).toHaveLength(1);
    steps(20, 50, { stage: 1 });
    expect(told).toHaveLength(2);
  });

  it('is not told before it is known what nodes compute', () => {
    const { stepTiming, told, steps } = run();
    steps(100, 50, { isMeasured: false });
    stepTiming.endStage();
    expect(told).toEqual([]);
  });

  it('is not told where nodes pay off, or where there are none', () => {
    const { stepTiming, told, steps } = run();
    steps(100, 15);
    steps(100, 50, { stage: 1, nodes: 0 });
    stepTiming.endStage();
    expect(told).toEqual([]);
  });

  it('of steps with labelled rows alone is told at the end of a stage that has no others', () => {
    const { told, steps } = run();
    steps(30, 50, { unlabelled: false });
    expect(told).toEqual([]);
    steps(1, 15, { stage: 1 });
    expect(told).toEqual([expect.stringContaining('a step of 10 rows')]);
  });

  it('is that of the steps with most rows, whatever those before them took', () => {
    const { stepTiming, told, steps } = run();
    steps(30, 50, { unlabelled: false });
    steps(30, 15);
    steps(5, 50, { unlabelled: false });
    stepTiming.endStage();
    expect(told).toEqual([]);
  });
});
