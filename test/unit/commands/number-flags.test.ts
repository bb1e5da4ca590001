// Tests the errors about numbers of flags that are beyond their limits.
import { expect, it } from 'vitest';
import { withinLimits } from '../../../coordinator/commands/number-flags.js';

it.each([
  [{ threshold: 1.5 }, '--threshold 1.5: from 0 to 1'],
  [{ seed: 1e30 }, `--seed 1e+30: a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`],
  [{ workers: 1000 }, '--workers 1000: a whole number from 1 to 256'],
  [{ maxSteps: 0 }, '--max-steps 0: a whole number from 1'],
  [{ labelsPerClass: 0.5 }, '--labels-per-class 0.5: a whole number from 1'],
  [{ validation: 1.5 }, '--validation 1.5: a number of images, or a share below 1'],
  [
    { hidden: 1, members: 99 },
    '--hidden 1: a whole number from 16 to 65536; --members 99: a whole number from 1 to 16',
  ],
])('%o is beyond its limits', (options, message) => {
  expect(() => withinLimits(options)).toThrow(expect.objectContaining({ code: 'E_CONFIG', message }));
});

it('numbers within their limits stay', () => {
  const options = { seed: 1, threshold: 0, labelsPerClass: 'all', refresh: 3 };
  expect(withinLimits(options)).toBe(options);
});
