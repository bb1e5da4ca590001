// Tests the shares that `label --propagate` holds labels to: what is assumed by default, and what is refused.
import { describe, expect, it } from 'vitest';
import { heldLine, heldSharesIn } from '../../../coordinator/commands/held-shares.js';
import { heldFor } from '../../../coordinator/library/held-shares.js';

const NAMES = ['ant', 'bee', 'cat'];
const seeds = (...labels: number[]) => ({ labels: Uint16Array.from(labels) });

describe('shares that spread labels are held to', () => {
  it("are those among the model's predictions where nobody says others, and the output says so", () => {
    const { shares, choice } = heldFor(undefined, seeds(0, 2, 2), NAMES);
    expect(shares).toBe('predicted');
    expect(heldLine(choice, NAMES)).toMatch(/assumed.*model's own predictions/);
  });

  it('are those of the known labels, where each class has one', () => {
    const { choice } = heldFor('labelled', seeds(0, 0, 1, 2), NAMES);
    expect(choice).toEqual({ source: 'labelled', shares: [0.5, 0.25, 0.25] });
    expect(heldLine(choice, NAMES)).toMatch(/assumed.*labelled images: ant 50.0 %, bee 25.0 %, cat 25.0 %/);
    expect(() => heldFor('labelled', seeds(0, 2, 2), NAMES)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });

  it('are those that were told', () => {
    expect(heldFor('equal', seeds(0), NAMES).shares).toEqual([1 / 3, 1 / 3, 1 / 3]);
    expect(heldFor([0.5, 0.3, 0.2], seeds(0), NAMES).choice).toMatchObject({ source: 'given' });
    expect(heldFor('off', seeds(0, 1, 2), NAMES)).toEqual({ shares: undefined, choice: undefined });
    expect(heldLine(undefined, NAMES)).toBe('class shares: labels are held to none');
    expect(() => heldFor([0.5, 0.5], seeds(0, 1, 2), NAMES)).toThrow(expect.objectContaining({ code: 'E_USAGE' }));
  });

  it('are read from words and from numbers that sum to 1', () => {
    expect(['predicted', 'labelled', 'equal', 'off', '0.6,0.3,0.1'].map(heldSharesIn)).toEqual([
      ...['predicted', 'labelled', 'equal', 'off'],
      [0.6, 0.3, 0.1],
    ]);
    for (const text of ['auto', '0.6', '0.6,0.6', '0.6,', '1.5,-0.5', ''])
      expect(() => heldSharesIn(text)).toThrow(/It is predicted, labelled, equal, off/);
  });
});
