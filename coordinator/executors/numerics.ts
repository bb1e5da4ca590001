// Owns what this machine's processor can do, as far as the operating system tells.
import { readFileSync } from 'node:fs';
import { PseudolabelError } from '../../src/errors.js';
import { type Fingerprints, numericsFingerprints } from '../../src/models/dense/fingerprint.js';
import type { Precision } from '../../src/models/model.js';

/** Of AVX512_BF16 or of AMX: the only ones that TensorFlow's products use on x86-64. */
const X86_FLAGS = /\b(avx512_bf16|amx_bf16)\b/;

/** Whether it has products of bfloat16 of its own. undefined: not known here. cpuinfo: content of /proc/cpuinfo, where there is one. */
export function multipliesBf16(cpuinfo = cpuInfo()): boolean | undefined {
  const flags = /^flags\s*:(.*)$/m.exec(cpuinfo)?.[1];
  return flags === undefined ? undefined : X86_FLAGS.test(flags);
}

/** Throws E_CONFIG for products that the processor is known not to have: TensorFlow computes those of bf16 slowly then, or ends the process. */
export function checkPrecision(precision: Precision): void {
  if (precision !== 'bf16' || multipliesBf16() !== false) return;
  const fix = 'leave --precision out; a run that began in bf16 needs a processor with AVX512_BF16 or AMX';
  throw new PseudolabelError('E_CONFIG', 'precision: this processor has no products of bf16', fix);
}

/** Of a node, which hears of a run's precision when it has said them. Where it is not known whether the processor has products, it has none. */
export const fingerprintsHere = (): Fingerprints => numericsFingerprints(multipliesBf16() === true);

function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // No Linux.
    return '';
  }
}
