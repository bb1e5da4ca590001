// Owns the leaving out of tests that multiply in bf16 where the processor does not: TensorFlow does so slowly there, or ends the process.
import { multipliesBf16 } from '../coordinator/processor.js';

export const lacksBf16 = multipliesBf16() !== true;
