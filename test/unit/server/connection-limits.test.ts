// Tests the limits of unauthenticated connections.
import { describe, expect, it } from 'vitest';
import { ConnectionLimiter } from '../../../coordinator/server/unauthenticated-connections.js';
import { ManualClock } from '../../manual-clock.js';

const LIMITS = { unauthenticated: 3, unauthenticatedPerAddress: 2, rate: 100 };

describe('the connection limits', () => {
  it('lets in so many in all, and so many from one address', () => {
    const limiter = new ConnectionLimiter(LIMITS, new ManualClock());
    const first = limiter.enter('a');
    expect([first, limiter.enter('a')]).not.toContain(undefined);
    expect(limiter.enter('a')).toBeUndefined();
    expect(limiter.enter('b')).toBeDefined();
    expect(limiter.enter('c')).toBeUndefined();
    first!();
    expect(limiter.enter('c')).toBeDefined();
    expect(limiter.enter('a')).toBeUndefined();
  });

  it('frees a place once, however often it is told', () => {
    const limiter = new ConnectionLimiter(LIMITS, new ManualClock());
    const leave = limiter.enter('a')!;
    leave();
    leave();
    expect([limiter.enter('a'), limiter.enter('b'), limiter.enter('c')]).not.toContain(undefined);
    expect(limiter.enter('d')).toBeUndefined();
  });

  it('lets one address try so often a second, and others as well', () => {
    const clock = new ManualClock();
    clock.advance(5000);
    const limiter = new ConnectionLimiter({ ...LIMITS, rate: 4 }, clock);
    const tries = (address: string, count: number) =>
      Array.from({ length: count }, () => {
        const leave = limiter.enter(address);
        leave?.();
        return leave !== undefined;
      });
    expect(tries('a', 6)).toEqual([true, true, true, true, false, false]);
    expect(tries('b', 1)).toEqual([true]);
    clock.advance(999);
    expect(tries('a', 1)).toEqual([false]);
    clock.advance(1);
    expect(tries('a', 5)).toEqual([true, true, true, true, false]);
  });
});
