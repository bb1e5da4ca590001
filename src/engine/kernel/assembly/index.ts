// The kernel's exports: passes over shared memory besides products. Its only state is the arena's.
export { biasGradient, reluDropout, reluDropoutGradient } from './activation';
export { classify, sigmoidCrossEntropy, softmaxCrossEntropy, softmaxMasses } from './loss';
export { narrowForward, narrowInputGradient, narrowKernelGradient } from './narrow';
export { adam, momentum, sum } from './optimizers';
export { addNoise, dropout, loadRows, transpose } from './rows';
export { add, broadcast, packColumns } from './tensor-shard';
export { roundFedBack, widen } from './wire';
