// Tests what `status` says of a run: its position in the whole run, also after a resume, and which machines have which
// shards.
import { describe, expect, it } from 'vitest';
import { linesOf } from '../../../coordinator/commands/status.js';
import { RunPosition } from '../../../coordinator/executors/cluster/status.js';
import { clusterStatus } from '../../../src/protocol/status.js';
import { ManualClock } from '../../manual-clock.js';

const PLAN = [
  { name: 'pretrain', steps: 100 },
  { name: 'finetune', steps: 2500 },
];

describe('the position of a run', () => {
  it('counts from its first step, also where it was gone on with, and tells the time left (case 33)', () => {
    const clock = new ManualClock();
    const position = new RunPosition(clock, PLAN);
    expect(position.status).toBeNull();
    for (let step = 1500; step < 1530; step++) {
      const end = position.begin(1, step);
      clock.advance(step < 1505 ? 9000 : 100);
      end();
    }
    const at = { stage: 'finetune', stageNumber: 2, stages: 2, step: 1530, steps: 2500 };
    expect(position.status).toEqual({ ...at, secondsLeft: expect.closeTo(97, 6) });
  });

  it('knows no time left before a step of the stage has ended', () => {
    const clock = new ManualClock();
    const position = new RunPosition(clock, PLAN);
    const end = position.begin(0, 99);
    clock.advance(1000);
    end();
    expect(position.status).toMatchObject({ stage: 'pretrain', step: 100, secondsLeft: 0 });
    position.begin(1, 0);
    expect(position.status).toMatchObject({ stage: 'finetune', step: 0, secondsLeft: null });
  });
});

it('status shows stage, step, time left and all shards, those of the coordinator too (case 33)', () => {
  const status = clusterStatus.parse({
    coordinator: { workers: 2, shards: 5, rowsPerSecond: 1000, lostWorkers: 0 },
    nodes: [
      {
        name: 'far',
        address: '10.0.0.2:5',
        workers: 1,
        state: 'working',
        rowsPerSecond: null,
        shards: 3,
        lostWorkers: 0,
        bytesSent: 1,
        bytesReceived: 1,
      },
    ],
    position: { stage: 'finetune', stageNumber: 2, stages: 2, step: 1530, steps: 2500, secondsLeft: 97 },
    steps: 30,
    shards: 8,
  });
  const [position, summary, ...table] = linesOf(status);
  expect(position).toMatch(/^stage 2 of 2 \(finetune\): step 1,530 of 2,500, \S.* left in it$/);
  expect(summary).toContain('30 steps since it was started, 8 shards');
  expect(table.find((line) => line.startsWith('coordinator'))).toMatch(/ 2 +working +5 +1,000 /);
  expect(table.find((line) => line.startsWith('far'))).toMatch(/ 1 +working +3 /);
  expect(linesOf({ ...status, position: null })[0]).toBe('no step yet since it was started');
});
