// A machine's numerics fingerprint: a small training step whose bits differ in another version of our code, or, for
// layers, on another processor type or build of TensorFlow.

import { createHash } from 'node:crypto';
import { sha256OfParameters } from '../checksum.js';
import { createArena, floats } from '../engine/arena.js';
import { PRODUCTS_VERSION } from '../engine/native/native.js';
import type { UnlabelledRows } from '../methods/method.js';
import { keyOf, Stream } from '../random.js';
import { modelOf } from './dense/model.js';
import { createEngine } from './engine.js';
import { gradient } from './gradient.js';
import { convolutionFingerprint } from './layers/fingerprint.js';
import type { Model } from './model.js';
import { initialParameters, needsTensorFlow, parameterCount, workspaceBytesOf } from './models.js';
import { update } from './update.js';

const PIXELS = 784;
const ROWS = 72;
const UNLABELLED = 200;
const MODEL = modelOf([PIXELS, 640, 10], { inputDropout: 0.2, dropout: [0.5], objective: 'softmax' });
const ROWS_OF_STEP: UnlabelledRows = {
  batch: ROWS - 8,
  factor: 1,
  method: 'pseudo-label',
  settings: { threshold: 0 },
  pseudoLabels: 'fresh',
  logitShift: undefined,
  masses: 'plain',
  noise: 0,
};
const STEPS = 2;

/** What the bits depend on: for dense networks our own products, and for layers TensorFlow. */
export const NUMERICS = ['f32', 'layers'] as const;
export type Numerics = (typeof NUMERICS)[number];

/** Returns the fingerprint of a machine. */
export type FingerprintOf = (numerics: Numerics) => string;

export const numericsOf = (model: Model): Numerics => (needsTensorFlow(model) ? 'layers' : 'f32');

/**
 * Returns a hex SHA-256. Two machines with the same one compute the same bits. It takes some 30 ms in this thread. That
 * of f32 is the same on every processor.
 * Throws E_NATIVE.
 */
export function numericsFingerprint(of: Numerics = 'f32'): string {
  if (of === 'layers') return convolutionFingerprint();
  return createHash('sha256').update(`products ${PRODUCTS_VERSION} ${ofSteps()}`).digest('hex');
}

/** Returns a hash of the parameters after two steps with fixed numbers. */
function ofSteps(): string {
  const length = parameterCount(MODEL);
  const workspaceBytes = workspaceBytesOf(MODEL, ROWS, true);
  const shape = {
    pixels: PIXELS,
    unlabelled: UNLABELLED,
    evaluation: 0,
    parameterCount: length,
    shards: 1,
    workspaces: 1,
    workspaceBytes,
  };
  const arena = createArena(shape);
  const engine = createEngine(arena);
  const random = new Stream(keyOf(1, 'split', 0));
  const randomBytes = (length: number) => Uint8Array.from({ length }, () => random.below(256));
  arena.images.unlabelled.write(0, 0, randomBytes(UNLABELLED * PIXELS));
  floats(arena, 'parameters', length).set(initialParameters(MODEL, 1, 0));
  const images = randomBytes(8 * PIXELS);
  const labels = Uint16Array.from({ length: 8 }, (_, row) => row);
  const rows = { labelled: { images, labels }, labelledBatch: 8, unlabelled: ROWS_OF_STEP };
  for (let t = 1; t <= STEPS; t++) {
    const order = { seed: 1, stage: 0, step: t, shard: 0, shards: 1, workspace: 0 };
    gradient(engine, { kind: 'gradient', model: MODEL, ...order, ...rows });
    const optimizer = { kind: 'adam', rate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, t } as const;
    update(engine, { kind: 'update', update: t, slice: 0, start: 0, end: length, shards: 1, optimizer });
  }
  return sha256OfParameters(floats(arena, 'parameters', length));
}
