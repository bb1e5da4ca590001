// Tests how hosts share cores in slowed time, as in the benchmarks of four machines.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

interface Dilation {
  dilationOf(hosts: number, cores: number): number;
  atWorst(milliseconds: number, serial: number, factor: number): number;
}
const source = new URL('../../../scripts/bench/namespaces.mjs', import.meta.url).href;
const { dilationOf, atWorst } = (await import(source)) as Dilation;

describe('hosts that share cores', () => {
  it.each([
    [2, 2, 1],
    [4, 2, 2],
    [4, 1, 4],
    [4, 3, 2],
    [3, 2, 3],
    [1, 64, 1],
  ])('%i of them on %i cores are slowed down %i times', (hosts, cores, factor) => {
    expect(dilationOf(hosts, cores)).toBe(factor);
  });

  it('are as many on each core, on no more cores than there are, and slowed down no more than that needs', () => {
    const counts = fc.integer({ min: 1, max: 200 });
    fc.assert(
      fc.property(counts, counts, (hosts, cores) => {
        const factor = dilationOf(hosts, cores);
        expect(hosts % factor).toBe(0);
        expect(hosts / factor).toBeLessThanOrEqual(cores);
        for (let less = 1; less < factor; less++) expect(hosts % less !== 0 || hosts / less > cores).toBe(true);
      }),
    );
  });

  it('are at worst as slow as if all that is serial had been slowed down too', () => {
    expect(atWorst(40, 5, 1)).toBe(40);
    expect(atWorst(40, 5, 2)).toBe(45);
    expect(atWorst(40, 5, 4)).toBe(55);
  });
});
