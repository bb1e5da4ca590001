// Tests how numbers are written, at the places where the format changes.
import { describe, expect, it } from 'vitest';
import { bar, counted, duration, loss, percent, whole } from '../../src/format.js';

describe('numbers for people', () => {
  it('never shows 60 seconds or 60 minutes', () => {
    const written = [0, 59.94, 59.95, 119.6, 3599.4, 3599.6, 7265].map(duration);
    expect(written).toEqual(['0.0 s', '59.9 s', '1m 00s', '2m 00s', '59m 59s', '1h 00m', '2h 01m']);
  });

  it('writes shares, counts and losses in few digits', () => {
    expect([percent(0.85124), percent(1, 0)]).toEqual(['85.12 %', '100 %']);
    expect([whole(1234567.6), counted(1, 'worker'), counted(2000, 'step')]).toEqual([
      '1,234,568',
      '1 worker',
      '2,000 steps',
    ]);
    expect([loss(0.01234), loss(237.46)]).toEqual(['0.012', '237.5']);
  });

  it('draws a bar that is full only at the end', () => {
    expect([0, 0.999, 1].map((share) => bar(share, 4))).toEqual(['[....]', '[###.]', '[####]']);
  });
});
