// Numerics: what this machine's processor can compute, and whether other machines may join a run, where they are to compute the same bits.
import { readFileSync } from 'node:fs';
import type { ArenaShape } from '../../src/engine/arena.js';
import { type Precision, precisionOf } from '../../src/engine/precision.js';
import { PseudolabelError } from '../../src/errors.js';
import { type Fingerprints, type Numerics, numericsFingerprints } from '../../src/models/fingerprint.js';

/** Flags of AVX512_BF16 and of AMX, the only instructions for bfloat16 that TensorFlow's products use on x86-64. */
const X86_FLAGS = /\b(avx512_bf16|amx_bf16)\b/;

/**
 * Whether the processor has products of bfloat16; undefined where that is not known.
 * @param cpuinfo content of /proc/cpuinfo, where there is one
 */
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

/** The fingerprints of this machine for each precision. Where it is not known whether the processor has products of bf16, it has none. */
export const fingerprintsHere = (): Fingerprints => numericsFingerprints(multipliesBf16() === true);

export interface NumericsRules {
  /** Of the numerics of the machine that coordinates. */
  readonly fingerprint: string;
  /** Which they are. */
  readonly numerics: Numerics;
  /** Machines of other numerics may join: the bits of the run then depend on who computes what. */
  readonly allowMixed: boolean;
}

/** Why machines may not join a run; undefined where all may. coordinator: the name of the machine that coordinates. */
export function refusalOf(
  machines: readonly { readonly name: string; readonly fingerprints: Fingerprints }[],
  { fingerprint, numerics, allowMixed }: NumericsRules,
  coordinator: string,
): PseudolabelError | undefined {
  const namesWhere = (holds: (fingerprint: string | undefined) => boolean) =>
    machines.filter(({ fingerprints }) => holds(fingerprints[numerics])).map(({ name }) => name);
  const unable = namesWhere((of) => of === undefined);
  if (unable.length > 0) return withoutProducts(unable, numerics);
  const mixed = namesWhere((of) => of !== fingerprint);
  return mixed.length > 0 && !allowMixed ? otherNumerics(mixed, numerics, coordinator) : undefined;
}

function withoutProducts(names: readonly string[], numerics: Numerics): PseudolabelError {
  const fix = 'leave it out, or start the run with --precision f32, which runs anywhere';
  const message = `the processor of ${names.join(', ')} has no products of ${numerics}`;
  return new PseudolabelError('E_NUMERICS', message, fix);
}

function otherNumerics(names: readonly string[], numerics: Numerics, coordinator: string): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits on ${names.join(', ')} than on ${coordinator}: another ${
      numerics === 'f32' ? 'version of pseudolabel' : 'type of processor, or another build of TensorFlow'
    }`,
    `use the same version${numerics === 'f32' ? '' : ' on machines of one type'}, or start the run with --allow-mixed and do without exact repetition`,
  );
}

/** The arena shape as other machines are told it; they choose their own workspaces. */
export function sentShape({
  workspaces: _,
  tensorShardBytes = 0,
  outputGroupBytes = 0,
  averages = false,
  ...rest
}: ArenaShape) {
  return { ...rest, tensorShardBytes, outputGroupBytes, averages, precision: precisionOf(rest) };
}

function cpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8');
  } catch {
    // No Linux.
    return '';
  }
}
