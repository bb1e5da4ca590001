import { expect, it } from 'vitest';
import { numericsFingerprint } from '../../src/engine/fingerprint.js';

it('a numerics fingerprint is a SHA-256, and the same each time', () => {
  const fingerprint = numericsFingerprint();
  expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(numericsFingerprint()).toBe(fingerprint);
});
