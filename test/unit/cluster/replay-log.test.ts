// Tests which steps a tensor shard lacks, against a model that keeps every step for every tensor shard.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DoneStep } from '../../../coordinator/executors/cluster/replay-log.js';
import { ReplayLog } from '../../../coordinator/executors/cluster/replay-log.js';
import { modelOf } from '../../../src/models/dense/model.js';

const model = modelOf([4, 160, 2], { inputDropout: 0, dropout: [], objective: 'softmax' });
const SHARDS = 6;

const stepOf = (step: number): DoneStep => ({
  step: {
    model,
    seed: 1,
    stage: 0,
    step,
    shards: SHARDS,
    labelledImages: new Uint8Array(4),
    unlabelledBatch: 0,
    labelsFresh: false,
    optimizer: { kind: 'momentum', a: 0, b: 1, c: 1 },
  },
  given: [Float32Array.of(step)],
});

const range = fc
  .tuple(fc.nat(SHARDS - 1), fc.nat(SHARDS - 1))
  .map(([a, b]) => ({ first: Math.min(a, b), end: Math.max(a, b) + 1 }));

describe('a replay log of steps', () => {
  it('has all steps that any tensor shard lacks and no older ones, and gives each tensor shard its own, in order', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('step' as const), range), { maxLength: 30 }),
        range,
        (events, asked) => {
          const replayLog = new ReplayLog(SHARDS);
          const lacking = Array.from({ length: SHARDS }, (): number[] => []);
          let done = 0;
          for (const event of events) {
            if (event === 'step') {
              replayLog.add(stepOf(done));
              for (const steps of lacking) steps.push(done);
              done++;
            } else {
              replayLog.arrived(event);
              for (let shard = event.first; shard < event.end; shard++) lacking[shard] = [];
            }
          }
          expect(replayLog.length).toBe(Math.max(...lacking.map(({ length }) => length)));
          const found = Array.from({ length: SHARDS }, (): number[] => []);
          let last = asked.first;
          for (const { first, end, steps } of replayLog.missing(asked)) {
            expect(first).toBeGreaterThanOrEqual(last);
            for (let shard = first; shard < end; shard++) found[shard] = steps.map(({ step }) => step.step);
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
