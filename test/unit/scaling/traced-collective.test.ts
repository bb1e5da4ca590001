// Tests that a traced collective does the same, and that its record accounts for all of the main thread's time.
import { describe, expect, it } from 'vitest';
import { ActivityRecord, TracedCollective } from '../../../coordinator/scaling/activity-record.js';
import { clock } from '../../../src/clock.js';
import type { Piece } from '../../../src/collectives/collective.js';
import { SHARES, type Split } from '../../../src/scaling/time-split.js';
import { memoryRanks } from '../../contract/memory-collective.js';

interface Watched {
  readonly collective: TracedCollective;
  readonly record: ActivityRecord;
}

const tracedRanks = (size: number): Watched[] =>
  memoryRanks(size).map((bare) => {
    const record = new ActivityRecord();
    return { collective: new TracedCollective(bare, record), record };
  });

const sumOf = (split: Split): number => SHARES.reduce((sum, share) => sum + split[share], 0);

/** Keeps the thread busy. Returns the milliseconds that it took at least. */
function busy(milliseconds: number): number {
  const began = clock();
  while (clock() - began < milliseconds);
  return milliseconds;
}

describe('a watched collective', () => {
  it('passes on what ranks tell, exchange and sum, and counts the bytes that each sends', async () => {
    const ranks = tracedRanks(2);
    const found = await Promise.all(
      ranks.map(async ({ collective }) => {
        const told = Uint8Array.of(collective.rank === 0 ? 7 : 0);
        await collective.broadcast(told);
        const received = new Uint8Array(3);
        const other = 1 - collective.rank;
        await collective.exchange(
          [{ rank: other, bytes: new Uint8Array(3).fill(collective.rank) }],
          [{ rank: other, bytes: received }],
        );
        const values = Float32Array.of(1, 2, 3, 4);
        await collective.sum(values);
        return { told: told[0], received: [...received], sums: [...values] };
      }),
    );
    expect(found).toEqual([1, 0].map((other) => ({ told: 7, received: [other, other, other], sums: [2, 4, 6, 8] })));
    // A broadcast has one sender. A ring of two sends every float once.
    expect(ranks.map(({ collective }) => collective.sentBytes)).toEqual([1 + 3 + 16, 3 + 16]);
  });

  it('counts what is added up for a sum, and on the way, as update, and all else that it did or waited for', async () => {
    const ranks = tracedRanks(2);
    const began = clock();
    const summed = await Promise.all(
      ranks.map(async ({ collective }) => {
        let milliseconds = 0;
        const rank = 1 - collective.rank;
        const bytes = new Uint8Array(8);
        function* sends(): Generator<Piece> {
          milliseconds += busy(3);
          yield { rank, bytes };
        }
        await collective.exchange(sends(), [{ rank, bytes: new Uint8Array(8) }]);
        milliseconds += busy(2);
        await collective.sum(new Float32Array(4));
        return milliseconds;
      }),
    );
    const ended = clock();
    for (const [rank, { record }] of ranks.entries()) {
      const { split } = record.account(1, began, ended);
      expect(split.update).toBeGreaterThanOrEqual(summed[rank]!);
      expect(split.wait).toBeGreaterThan(0);
      expect(sumOf(split)).toBeCloseTo(ended - began, 6);
    }
  });

  it('has sent what it only sends, and waited for what it only receives', async () => {
    const [first, second] = tracedRanks(2) as [Watched, Watched];
    const began = clock();
    await Promise.all([
      first.collective.exchange([{ rank: 1, bytes: new Uint8Array(1) }], []),
      second.collective.exchange([], [{ rank: 0, bytes: new Uint8Array(1) }]),
    ]);
    const [sent, waited] = [first, second].map(({ record }) => record.account(1, began, clock()).split);
    expect([sent!.wait, waited!.send]).toEqual([0, 0]);
    expect(sent!.send).toBeGreaterThan(0);
    expect(waited!.wait).toBeGreaterThan(0);
  });
});
