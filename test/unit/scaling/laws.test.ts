// Tests the laws of scaling: the serial share of Karp and Flatt, and the fits of Amdahl and the universal law.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AmdahlFit,
  fitAmdahl,
  fitUniversal,
  karpFlatt,
  speedUpOf,
  type UniversalFit,
} from '../../../src/scaling/laws.js';

const share = fc.double({ min: 0, max: 0.9, noNaN: true });
const coherency = fc.double({ min: 0, max: 0.1, noNaN: true });
const pointsOf = (counts: readonly number[], sigma: number, kappa: number) =>
  counts.map((workers) => ({ workers, speedUp: speedUpOf(workers, sigma, kappa) }));

describe('the serial share of Karp and Flatt', () => {
  it.each([
    [2, 2, 0],
    [2, 1, 1],
    [8, 4.71, 0.0998], // the paper's way: (1/4.71 - 1/8) / (1 - 1/8)
    [2, 0.5, 3], // slower than one
  ])('of %d workers with a speed-up of %d is %d', (workers, speedUp, expected) => {
    expect(karpFlatt({ workers, speedUp })).toBeCloseTo(expected, 4);
  });

  it('is not defined for one worker', () => {
    expect(karpFlatt({ workers: 1, speedUp: 1 })).toBeUndefined();
  });

  it("is Amdahl's serial share where Amdahl's law holds", () => {
    fc.assert(
      fc.property(share, fc.integer({ min: 2, max: 64 }), (sigma, workers) => {
        expect(karpFlatt({ workers, speedUp: speedUpOf(workers, sigma, 0) })).toBeCloseTo(sigma, 9);
      }),
    );
  });
});

describe('a fit', () => {
  it("of Amdahl's law finds the share that made the points, without error", () => {
    fc.assert(
      fc.property(share, (sigma) => {
        const fit = fitAmdahl(pointsOf([1, 2, 4, 8], sigma, 0)) as AmdahlFit;
        expect(fit.sigma).toBeCloseTo(sigma, 9);
        expect(fit.error).toBeLessThan(1e-9);
        if (sigma > 1e-6) expect(fit.limit! * sigma).toBeCloseTo(1, 6);
      }),
    );
  });

  it('of the universal law finds both numbers and the best number of workers', () => {
    fc.assert(
      fc.property(share, coherency, (sigma, kappa) => {
        const fit = fitUniversal(pointsOf([1, 2, 3, 4, 8], sigma, kappa)) as UniversalFit;
        expect(fit.sigma).toBeCloseTo(sigma, 7);
        expect(fit.kappa).toBeCloseTo(kappa, 7);
        expect(fit.error).toBeLessThan(1e-6);
      }),
    );
    const best = fitUniversal(pointsOf([1, 2, 3, 4], 0.05, 0.002)) as UniversalFit;
    expect(best.bestWorkers).toBe(22); // sqrt(0.95 / 0.002) = 21.8
  });

  it('predicts a best number of workers that none of its neighbours is better than', () => {
    fc.assert(
      fc.property(share, fc.double({ min: 1e-4, max: 0.1, noNaN: true }), (sigma, kappa) => {
        const { bestWorkers, ...fit } = fitUniversal(pointsOf([2, 3, 4, 5], sigma, kappa)) as UniversalFit;
        const of = (workers: number) => speedUpOf(workers, fit.sigma, fit.kappa);
        expect(of(bestWorkers!)).toBeGreaterThanOrEqual(of(bestWorkers! + 1));
        if (bestWorkers! > 1) expect(of(bestWorkers!)).toBeGreaterThanOrEqual(of(bestWorkers! - 1));
      }),
    );
  });

  it('has no numbers below 0 where workers are more than proportionally fast, and no limit or best number', () => {
    const points = [2, 4, 8].map((workers) => ({ workers, speedUp: 1.1 * workers }));
    const amdahl = fitAmdahl(points) as AmdahlFit;
    const universal = fitUniversal(points) as UniversalFit;
    expect(amdahl).toMatchObject({ sigma: 0, limit: undefined });
    expect(universal).toMatchObject({ sigma: 0, kappa: 0, bestWorkers: undefined });
    expect(amdahl.error).toBeCloseTo(1 - 1 / 1.1, 9);
  });

  it('is nowhere worse by its own measure than near-by numbers', () => {
    const speedUps = fc.array(fc.double({ min: 0.3, max: 6, noNaN: true }), { minLength: 4, maxLength: 4 });
    const step = fc.double({ min: -0.05, max: 0.05, noNaN: true });
    fc.assert(
      fc.property(speedUps, step, step, (found, ds, dk) => {
        const points = found.map((speedUp, i) => ({ workers: i + 2, speedUp }));
        const squares = (sigma: number, kappa: number) =>
          points.reduce((sum, { workers: n, speedUp }) => {
            return sum + (n / speedUp - 1 - sigma * (n - 1) - kappa * n * (n - 1)) ** 2;
          }, 0);
        const { sigma, kappa } = fitUniversal(points) as UniversalFit;
        const best = squares(sigma, kappa);
        expect(best).toBeLessThanOrEqual(squares(Math.max(0, sigma + ds), Math.max(0, kappa + dk)) + 1e-9);
      }),
    );
  });

  it('through no more points than it has numbers is not determined', () => {
    expect(fitAmdahl(pointsOf([1, 2], 0.1, 0))).toEqual({ kind: 'undetermined', needs: 2, has: 1 });
    expect(fitAmdahl(pointsOf([1, 2, 2], 0.1, 0))).toEqual({ kind: 'undetermined', needs: 2, has: 1 });
    expect(fitUniversal(pointsOf([1, 2, 4], 0.1, 0.01))).toEqual({ kind: 'undetermined', needs: 3, has: 2 });
    expect(fitUniversal([])).toEqual({ kind: 'undetermined', needs: 3, has: 0 });
  });
});
