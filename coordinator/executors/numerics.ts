// Decides whether other machines may join a run. All should compute the same bits.
import { PseudolabelError } from '../../src/errors.js';
import type { Numerics } from '../../src/models/fingerprint.js';

export interface NumericsRules {
  /** The fingerprint of the coordinating machine's numerics. */
  readonly fingerprint: string;
  /** The coordinating machine's numerics. */
  readonly numerics: Numerics;
  /** If true, machines of other numerics may join. The bits of the run then depend on which machine computes what. */
  readonly allowMixed: boolean;
}

/**
 * Returns why machines may not join a run, or undefined if all may. coordinator: the name of the machine that
 * coordinates.
 */
export function refusalOf(
  machines: readonly { readonly name: string; readonly fingerprint: string }[],
  { fingerprint, numerics, allowMixed }: NumericsRules,
  coordinator: string,
): PseudolabelError | undefined {
  const mixed = machines.filter((machine) => machine.fingerprint !== fingerprint).map(({ name }) => name);
  return mixed.length > 0 && !allowMixed ? otherNumerics(mixed, numerics, coordinator) : undefined;
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
