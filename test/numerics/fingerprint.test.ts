// Tests the fingerprints of what a machine computes.
import { afterEach, expect, it, vi } from 'vitest';
import { nativeVariants } from '../../src/engine/native/native.js';
import { numericsFingerprint } from '../../src/models/fingerprint.js';

it('a numerics fingerprint is a SHA-256, the same each time', () => {
  const found = numericsFingerprint('f32');
  expect(found).toMatch(/^[0-9a-f]{64}$/);
  expect(numericsFingerprint('f32')).toBe(found);
});

it('convolutions have a fingerprint of their own, the same each time', () => {
  const found = numericsFingerprint('layers');
  expect(found).toMatch(/^[0-9a-f]{64}$/);
  expect(numericsFingerprint('layers')).toBe(found);
  expect(numericsFingerprint('f32')).not.toBe(found);
});

afterEach(() => {
  vi.unstubAllEnvs();
});

it('processors of every variant have one fingerprint of f32, so that they train together', () => {
  const found = nativeVariants().map((variant) => {
    vi.stubEnv('PSEUDOLABEL_PRODUCTS', variant);
    return numericsFingerprint();
  });
  expect(new Set(found).size).toBe(1);
});
