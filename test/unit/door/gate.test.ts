import { describe, expect, it } from 'vitest';
import { Gate } from '../../../coordinator/door/gate.js';
import { ManualClock } from '../../manual-clock.js';

const LIMITS = { strangers: 3, strangersPerAddress: 2, rate: 100 };

describe('the gate', () => {
  it('lets in so many in all, and so many from one address', () => {
    const gate = new Gate(LIMITS, new ManualClock());
    const first = gate.enter('a');
    expect([first, gate.enter('a')]).not.toContain(undefined);
    expect(gate.enter('a')).toBeUndefined();
    expect(gate.enter('b')).toBeDefined();
    expect(gate.enter('c')).toBeUndefined();
    first!();
    expect(gate.enter('c')).toBeDefined();
    expect(gate.enter('a')).toBeUndefined();
  });

  it('frees a place once, however often it is told', () => {
    const gate = new Gate(LIMITS, new ManualClock());
    const leave = gate.enter('a')!;
    leave();
    leave();
    expect([gate.enter('a'), gate.enter('b'), gate.enter('c')]).not.toContain(undefined);
    expect(gate.enter('d')).toBeUndefined();
  });

  it('lets one address try so often a second, and others as well', () => {
    const clock = new ManualClock();
    clock.advance(5000);
    const gate = new Gate({ ...LIMITS, rate: 4 }, clock);
    const tries = (address: string, count: number) =>
      Array.from({ length: count }, () => {
        const leave = gate.enter(address);
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
