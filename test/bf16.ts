// Owns in which kinds of bf16 tests compute: emulated on every machine, and by the processor's own products where it has them.
import { multipliesBf16 } from '../coordinator/processor.js';
import type { Precision } from '../src/engine/model.js';

export const BF16: readonly Precision[] = multipliesBf16() === true ? ['bf16-emulated', 'bf16'] : ['bf16-emulated'];
