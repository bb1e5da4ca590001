// Owns in which kinds of bf16 tests compute: by the processor's own products where it has them, and emulated on every machine, which no
// run can ask for.
import { multipliesBf16 } from '../coordinator/executors/numerics.js';
import type { Precision } from '../src/engine/precision.js';

/** Whether a run can be in bf16 here. */
export const HAS_BF16 = multipliesBf16() === true;

export const BF16: readonly Precision[] = HAS_BF16 ? ['bf16-emulated', 'bf16'] : ['bf16-emulated'];

/** For tests of what is the same by whatever products: those that a run would take here. */
export const FASTEST_BF16: Precision = BF16.at(-1)!;
