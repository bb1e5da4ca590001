// What a slice lacks, against a model that keeps every step for every slice.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DoneStep } from '../../../coordinator/executors/cluster/replay-log.js';
import { ReplayLog } from '../../../coordinator/executors/cluster/replay-log.js';
import { modelOf } from '../../../src/models/dense/model.js';

const model = modelOf([4, 160, 2], { inputDropout: 0, dropout: [], objective: 'softmax' });
const SLICES = 6;

const stepOf = (step: number): DoneStep => ({
  step: {
    ...{ model, seed: 1, stage: 0, step, shards: SLICES, labelledImages: new Uint8Array(4) },
    ...{ unlabelledBatch: 0, labelsFresh: false, optimizer: { kind: 'momentum', a: 0, b: 1, c: 1 } },
  },
  given: [Float32Array.of(step)],
});

const range = fc
  .tuple(fc.nat(SLICES - 1), fc.nat(SLICES - 1))
  .map(([a, b]) => ({ first: Math.min(a, b), end: Math.max(a, b) + 1 }));

describe('a journal of steps', () => {
  it('has all steps that any slice lacks and no older ones, and gives each slice its own, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('step' as const), range), { maxLength: 30 }),
        range,
        (events, asked) => {
          const replayLog = new ReplayLog(SLICES);
          const lacking = Array.from({ length: SLICES }, (): number[] => []);
          let done = 0;
          for (const event of events) {
            if (event === 'step') {
              replayLog.add(stepOf(done));
              for (const steps of lacking) steps.push(done);
              done++;
            } else {
              replayLog.arrived(event);
              for (let slice = event.first; slice < event.end; slice++) lacking[slice] = [];
            }
          }
          expect(replayLog.length).toBe(Math.max(...lacking.map(({ length }) => length)));
          const found = Array.from({ length: SLICES }, (): number[] => []);
          let last = asked.first;
          for (const { first, end, steps } of replayLog.missing(asked)) {
            expect(first).toBeGreaterThanOrEqual(last);
            for (let slice = first; slice < end; slice++) found[slice] = steps.map(({ step }) => step.step);
            last = end;
          }
          expect(last).toBeLessThanOrEqual(asked.end);
          expect(found.slice(asked.first, asked.end)).toEqual(lacking.slice(asked.first, asked.end));
          expect(replayLog.isWhole(asked)).toBe(
            lacking.slice(asked.first, asked.end).every(({ length }) => length === 0),
          );
        },
      ),
    );
  });
});
