// Tests the simulation of a cluster against its formulas.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { COLLECTIVES, type NodeCost, parseNetwork, simulate } from '../../../src/scaling/simulate.js';

/** The gradient has 15.9 MB, like that of 784-5000-10. */
const COST: NodeCost = { divided: 20, repeated: 5, sumBytes: 15.9e6, taskBytes: 0, answerBytes: 0 };
const TEN_GIGABIT = { nodes: 4, bitsPerSecond: 10e9, rttMilliseconds: 0.2 };

const network = fc.record({
  nodes: fc.integer({ min: 2, max: 300 }),
  bitsPerSecond: fc.double({ min: 1e8, max: 1e12, noNaN: true }),
  rttMilliseconds: fc.double({ min: 0, max: 10, noNaN: true }),
});
const cost = fc.record({
  divided: fc.double({ min: 0.1, max: 1000, noNaN: true }),
  repeated: fc.double({ min: 0, max: 1000, noNaN: true }),
  sumBytes: fc.integer({ min: 0, max: 2e8 }),
  taskBytes: fc.integer({ min: 0, max: 1e6 }),
  answerBytes: fc.integer({ min: 0, max: 1e6 }),
});
const mode = fc.constantFrom('strong' as const, 'weak' as const);

describe('a simulated cluster', () => {
  it('of four nodes takes what the formulas say', () => {
    const [one, two, four] = simulate(COST, TEN_GIGABIT, 'strong');
    expect(one).toMatchObject({ nodes: 1, milliseconds: { star: 25, tree: 25 }, speedUp: { star: 1, tree: 1 } });
    const thread = 53; // 15.9 MB at 300 MB/s, in ms: more than the 12.72 of 10 Gbit/s
    const latency = 0.1;
    const messages = 2 * latency;
    expect(two!.milliseconds.star).toBeCloseTo(10 + 5 + messages + 2 * latency + 2 * thread, 9);
    expect(two!.milliseconds.tree).toBeCloseTo(10 + 5 + messages + 2 * (latency + thread), 9);
    expect(four!.milliseconds.star).toBeCloseTo(5 + 5 + messages + 2 * latency + 2 * 3 * thread, 9);
    expect(four!.milliseconds.tree).toBeCloseTo(5 + 5 + messages + 2 * 2 * (latency + thread), 9);
    expect(four!.speedUp.tree).toBeCloseTo(25 / four!.milliseconds.tree, 9);
    expect(four!.efficiency.tree).toBeCloseTo(four!.speedUp.tree / 4, 9);
  });

  it('on slow links sends the totals while sums still come, a chunk behind', () => {
    const [, two] = simulate(COST, { ...TEN_GIGABIT, bitsPerSecond: 1e9 }, 'strong');
    const [link, chunk] = [127.2, 8 * 2 ** 20 * 1e-6];
    expect(two!.milliseconds.star).toBeCloseTo(10 + 5 + 0.2 + 0.2 + link + chunk, 9);
    expect(two!.milliseconds.tree).toBeCloseTo(10 + 5 + 0.2 + 2 * (0.1 + link), 9);
  });

  it('sends only what grows with the work where there is nothing to sum', () => {
    const predicting = { ...COST, sumBytes: 0, answerBytes: 300_000 };
    const [, , four] = simulate(predicting, TEN_GIGABIT, 'strong');
    expect(four!.milliseconds.star).toBeCloseTo(5 + 5 + 0.2 + 0.75 * 1, 9); // 300 kB at 300 MB/s
    expect(four!.milliseconds.tree).toBe(four!.milliseconds.star);
  });

  it('without costs is ideal, in strong and in weak scaling', () => {
    const free = { divided: 10, repeated: 0, sumBytes: 0, taskBytes: 0, answerBytes: 0 };
    for (const each of ['strong', 'weak'] as const) {
      for (const { nodes, speedUp, efficiency } of simulate(free, { ...TEN_GIGABIT, rttMilliseconds: 0 }, each)) {
        expect(speedUp.star).toBeCloseTo(nodes, 9);
        expect(efficiency.tree).toBeCloseTo(1, 9);
      }
    }
  });

  it('is never better than ideal, no better with a star where that has to take in many sums, and never worse with a faster link', () => {
    fc.assert(
      fc.property(cost, network, mode, (of, on, how) => {
        const slow = simulate(of, on, how);
        const fast = simulate(of, { ...on, bitsPerSecond: 2 * on.bitsPerSecond }, how);
        expect(slow.at(-1)!.nodes).toBe(on.nodes);
        for (const [i, { nodes, efficiency, milliseconds }] of slow.entries()) {
          for (const each of COLLECTIVES) {
            expect(efficiency[each]).toBeLessThanOrEqual(1 + 1e-9);
            expect(fast[i]!.milliseconds[each]).toBeLessThanOrEqual(milliseconds[each]);
          }
          // With a round trip, the tree pays it in every round.
          if (on.rttMilliseconds === 0 && nodes >= 16)
            expect(milliseconds.tree).toBeLessThanOrEqual(milliseconds.star + 1e-9);
        }
      }),
    );
  });
});

describe('a network', () => {
  it('is read from a line', () => {
    expect(parseNetwork('nodes=64,link=10Gbps,rtt=0.2ms')).toEqual({
      nodes: 64,
      bitsPerSecond: 10e9,
      rttMilliseconds: 0.2,
    });
    expect(parseNetwork('rtt=50us, link=2.5Gbit/s, nodes=2')).toEqual({
      nodes: 2,
      bitsPerSecond: 2.5e9,
      rttMilliseconds: 0.05,
    });
  });

  it.each([
    '',
    'nodes=64',
    'nodes=1,link=10Gbps,rtt=0.2ms',
    'nodes=2.5,link=10Gbps,rtt=0.2ms',
    'nodes=64,link=10,rtt=0.2ms',
    'nodes=64,link=0Gbps,rtt=0.2ms',
    'nodes=64,link=10Gbps,rtt=0.2',
    'nodes=64,link=10Gbps,rtt=0.2ms,loss=1',
    'nodes=64,link=10Gbps,delay=0.2ms',
  ])("that is '%s' is refused, with how to write it", (text) => {
    expect(() => parseNetwork(text)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', fix: expect.stringContaining('nodes=64') }),
    );
  });
});
