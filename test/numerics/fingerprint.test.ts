import { afterEach, expect, it, vi } from 'vitest';
import { fingerprintsHere } from '../../coordinator/executors/numerics.js';
import { nativeVariants } from '../../src/engine/native/native.js';
import { numericsFingerprint, numericsFingerprints } from '../../src/models/fingerprint.js';
import { BF16, HAS_BF16 } from '../bf16.js';

it('a numerics fingerprint is a SHA-256, the same each time, and another one in bf16 than in f32', () => {
  const precisions = ['f32', ...BF16] as const;
  const found = precisions.map(numericsFingerprint);
  for (const fingerprint of found) expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
  expect(precisions.map(numericsFingerprint)).toEqual(found);
  // Whether emulated products have the bits of the processor's own is the processor's affair.
  const [f32, ...rounded] = found;
  expect(rounded).not.toContain(f32);
});

it('convolutions have a fingerprint of their own, the same each time', () => {
  const found = numericsFingerprint('layers');
  expect(found).toMatch(/^[0-9a-f]{64}$/);
  expect(numericsFingerprint('layers')).toBe(found);
});

it('a machine has fingerprints of what it has products of', () => {
  expect(Object.keys(numericsFingerprints(false)).sort()).toEqual(['f32', 'layers']);
  expect(Object.keys(fingerprintsHere()).sort()).toEqual(['f32', 'layers', ...(HAS_BF16 ? ['bf16'] : [])].sort());
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
