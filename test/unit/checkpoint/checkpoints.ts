// Makes checkpoints for tests.
import type { Checkpoint, Identity } from '../../../src/checkpoint/checkpoint.js';

export const identity: Identity = {
  config: { method: 'pseudo-label', rate: 0.001, alpha: { final: 3, from: 0.2 }, widths: [12, 7, 3] },
  seed: 1,
  shards: 2,
  dataSha256: 'ab'.repeat(32),
};

export function checkpointAt(stage: number, step: number): Checkpoint {
  const floats = (length: number, value: number) => new Float32Array(length).fill(value);
  return {
    stage,
    step,
    methodState: { target: [0.5, 0.5], predicted: [0.25, 0.75] },
    identity,
    numerics: 'ef'.repeat(32),
    state: {
      parameters: floats(19, step + 0.25),
      firstMoment: floats(19, 0.5),
      secondMoment: floats(19, 0.75),
      pseudoLabels: Uint16Array.of(1, 2, 3, 4, 5),
      confidences: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5),
    },
    progress: { seconds: { train: 1.5 } },
  };
}
