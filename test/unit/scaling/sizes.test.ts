// Tests which numbers of workers, nodes and ranks a scaling measurement compares.
import { describe, expect, it } from 'vitest';
import { type SizeFlags, sizesOf, totals, unitOf, whoIsCompared } from '../../../coordinator/commands/scaling.js';

const sizes = (flags: Omit<SizeFlags, 'strategy'>, strategy: SizeFlags['strategy'] = 'data') =>
  sizesOf({ ...flags, strategy });

describe('what is compared', () => {
  it('always has one worker, one process or one rank in it', () => {
    expect(sizes({ workers: [4, 2] })).toEqual({ workers: [1, 2, 4], processes: undefined });
    expect(sizes({ nodes: [2], workers: [3] }).processes).toMatchObject({ by: 'nodes', counts: [1, 3] });
    expect(sizes({ ranks: [3, 2] })).toEqual({
      workers: [1],
      processes: { by: 'ranks', counts: [1, 2, 3], hostfile: undefined },
    });
  });

  it('counts workers of all processes', () => {
    expect(totals(sizes({ ranks: [1, 2], workers: [4] }))).toEqual([4, 8]);
    expect(totals(sizes({ nodes: [0, 1], workers: [4] }))).toEqual([4, 8]);
    expect(totals(sizes({ workers: [1, 2] }))).toEqual([1, 2]);
  });

  it('is named', () => {
    expect(whoIsCompared(sizes({ ranks: [2] }))).toBe('1, 2 ranks, each of 1 worker,');
    expect(whoIsCompared(sizes({ nodes: [1] }))).toBe(
      '0, 1 nodes on loopback beside the coordinator, each of 1 worker,',
    );
    expect([{ ranks: [2] }, { nodes: [1] }, { workers: [2] }].map((flags) => unitOf(sizes(flags)))).toEqual([
      'ranks',
      'processes',
      'workers',
    ]);
  });

  it.each([
    ['nodes and ranks', { nodes: [1], ranks: [2] }, '--nodes with --ranks'],
    ['several numbers of workers a rank', { ranks: [2], workers: [1, 2] }, '--workers 1,2 with --ranks'],
  ] as const)('is not %s', (_, flags, message) => {
    expect(() => sizes(flags)).toThrow(expect.objectContaining({ code: 'E_USAGE', message }));
  });

  it('has no order of sums where there are none', () => {
    const fast = { ranks: [2], fastSum: true } as const;
    expect(() => sizes(fast, 'tensor')).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
    expect(sizes(fast, 'auto').processes?.counts).toEqual([1, 2]);
  });
});
