// Tests the warning that nodes do not pay off: it is given with its reason if the times of steps show this, and only
// then.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  computeOfDataParallel,
  computeOfTensorParallel,
  type StepTimes,
  slowdownWarning,
} from '../../../coordinator/executors/cluster/step-timing.js';

/**
 * Three machines of two workers, which take 12 ms for a shard. One machine alone needs 36 ms for six shards, and 4 ms
 * for the update.
 */
const PARTS = Array.from({ length: 3 }, () => ({ workers: 2, shards: 2, compute: 24 }));
const STEP: StepTimes = {
  ...computeOfDataParallel(PARTS, 6, 4),
  strategy: 'data',
  rows: 288,
  step: 95,
  nodes: 2,
  bytes: { sent: 15_910_000, received: 15_910_000 },
  gigabits: 0.94,
  canBeTensor: true,
};
/** Two machines that take 16 and 20 ms for their halves of the hidden units. The faster one takes 32 ms for all. */
const TENSOR: StepTimes = {
  ...STEP,
  ...computeOfTensorParallel(
    [
      { share: 0.5, speed: 9 },
      { share: 0.5, speed: 7.2 },
    ],
    288,
  ),
  strategy: 'tensor',
  step: 75,
  nodes: 1,
  gigabits: undefined,
  bytes: { sent: 37_000, received: 22_000 },
};

describe('the verdict on a run with nodes', () => {
  it('names what a step waits for, where a slow network is the reason', () => {
    expect(slowdownWarning([STEP])).toBe(
      '2 nodes make this run slower than one machine would be: a step of 288 rows takes 95 ms, and would take 40 there; ' +
        '79 ms of it wait for 15.9 MB to and 15.9 MB from each node at 0.9 Gbit/s; use a faster link or fewer nodes, ' +
        'or begin a run with --strategy tensor in place of data: it sends kilobytes',
    );
    expect(slowdownWarning([{ ...STEP, canBeTensor: false }])).toMatch(/fewer nodes$/);
  });

  it('names the slowest machine, where uneven work is the reason', () => {
    const parts = [
      { workers: 4, shards: 2, compute: 10 },
      { workers: 1, shards: 4, compute: 200 },
    ];
    const compute = computeOfDataParallel(parts, 6, 4);
    expect(slowdownWarning([{ ...STEP, ...compute, nodes: 1, step: 210, gigabits: undefined }])).toBe(
      '1 node makes this run slower than one machine would be: a step of 288 rows takes 210 ms, and would take 14 there; ' +
        'the slowest machine computes for 200 ms of it; leave it out, or begin a run with more --shards, which can be shared by speed',
    );
  });

  it('names the messages that tensor-parallel steps wait for, and another link as the way out', () => {
    expect(slowdownWarning([TENSOR])).toBe(
      '1 node makes this run slower than one machine would be: a step of 288 rows takes 75 ms, and would take 32 there; ' +
        '55 ms of it wait for 37 KB to and 22 KB from each node; use a link with less delay, or fewer nodes',
    );
  });

  it('is silent where nodes make it faster, or hardly slower', () => {
    for (const step of [17, 40, 43]) expect(slowdownWarning([{ ...STEP, step }])).toBeUndefined();
    for (const step of [20, 32, 35]) expect(slowdownWarning([{ ...TENSOR, step }])).toBeUndefined();
  });

  it('says no rate where none was measured', () => {
    expect(slowdownWarning([{ ...STEP, gigabits: undefined }])).toContain('15.9 MB from each node; use');
  });

  it('is over the middle of the steps: a few that stood still say nothing', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 1e5, noNaN: true }), { maxLength: 4 }), (others) => {
        const steps = (own: number) => [...others, ...Array.from({ length: 5 }, () => own)];
        const said = (own: number) => slowdownWarning(steps(own).map((step) => ({ ...STEP, step })));
        expect(said(20)).toBeUndefined();
        expect(said(200)).toBeDefined();
      }),
    );
  });

  it('never speaks of a run that takes less than each of its machines would alone', () => {
    const part = fc.record({
      workers: fc.integer({ min: 1, max: 8 }),
      shards: fc.integer({ min: 1, max: 20 }),
      compute: fc.double({ min: 0.1, max: 1e3, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 5 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (parts, share) => {
          const shards = parts.reduce((sum, each) => sum + each.shards, 0);
          const alone = parts.map(({ workers, shards: own, compute }) => Math.ceil(shards / workers) * (compute / own));
          const compute = computeOfDataParallel(parts, shards, 4);
          expect(slowdownWarning([{ ...STEP, ...compute, step: share * Math.min(...alone) }])).toBeUndefined();
        },
      ),
    );
  });
});
