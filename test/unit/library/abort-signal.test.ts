// Tests what errors of a run tell a program to do.
import { expect, it } from 'vitest';
import { forPrograms } from '../../../coordinator/library/abort-signal.js';
import { PseudolabelError } from '../../../src/errors.js';

const failing = (fix: string) =>
  forPrograms('runs/b', () => Promise.reject(new PseudolabelError('E_OUTPUT', 'why', fix)));

it('a fix for a program names the call, and no flags', async () => {
  const call = "train({ resume: 'runs/b' })";
  await expect(failing('go on from there with --resume')).rejects.toMatchObject({
    fix: `go on from there with ${call}`,
  });
  const fix = `give another \`out\`, or ${call}`;
  await expect(failing('give another --out, or --resume this one')).rejects.toMatchObject({ message: 'why', fix });
  await expect(failing('free some space')).rejects.toMatchObject({ fix: 'free some space' });
});
