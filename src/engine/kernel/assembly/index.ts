// The kernel's exports: passes over shared memory that TensorFlow has no single operation for. No state but the arena's.
export { biasGradient, reluDropout, reluDropoutGradient } from './activation';
export { classify, sigmoidCrossEntropy, softmaxCrossEntropy, softmaxMasses } from './loss';
export { addNoise, dropout, loadRows, transpose } from './rows';
export { add, broadcast, packColumns } from './slice';
export { adam, momentum, sum } from './update';
export { round, widen } from './wire';
