// Makes gradient tasks on a random arena, and the rows of such a task, computed without the engine.

import { ShardSampler } from '../../src/data/sampling.js';
import { shardRange } from '../../src/data/shards.js';
import { type Arena, floats, gradientStride, pseudoLabels } from '../../src/engine/arena.js';
import type { UnlabelledRows } from '../../src/methods/method.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { paddedRows } from '../../src/models/kind.js';
import type { GradientTask, LabelledRows } from '../../src/models/tasks.js';
import { keyOf, laneStates, Stream } from '../../src/random.js';
import { denseOf } from '../dense.js';
import { dropoutFactors } from './lane-generator.js';
import { randomBytes } from './random-arena.js';
import type { Row } from './reference.js';

export interface StepOfShards {
  readonly model: DenseModel;
  readonly shards: number;
  /** The number of rows of the whole step. */
  readonly labelledBatch: number;
  readonly unlabelled: UnlabelledRows | undefined;
}

export const PSEUDO: UnlabelledRows = {
  batch: 13,
  factor: 0.7,
  pseudoLabels: 'stored',
  logitShift: undefined,
  masses: 'plain',
  method: 'pseudo-label',
  settings: { threshold: 0 },
  noise: 0,
};

/** The unlabelled rows of an autoencoder. */
export const DENOISING: UnlabelledRows = { ...PSEUDO, method: 'denoising', settings: {}, pseudoLabels: 'none' };

/** Returns the task of each shard: step 3 of stage 1. Its labelled rows are split like its unlabelled ones. */
export function tasksOf({ model, shards, labelledBatch, unlabelled }: StepOfShards): GradientTask[] {
  const { pixels, classes } = sizesOf(model);
  const images = randomBytes(labelledBatch * pixels, 7);
  const labels = Uint16Array.from(randomBytes(labelledBatch, 8), (byte) => byte % classes);
  return Array.from({ length: shards }, (_, shard) => {
    const [first, end] = shardRange(labelledBatch, shards, shard);
    const labelled: LabelledRows | undefined =
      first === end
        ? undefined
        : { images: images.slice(first * pixels, end * pixels), labels: labels.slice(first, end) };
    const order = { seed: 11, stage: 1, step: 3, shard, shards };
    return { kind: 'gradient', workspace: 0, model, ...order, labelled, labelledBatch, unlabelled };
  });
}

const sizesOf = ({ layers }: DenseModel) => ({ pixels: layers[0]!.inputs, classes: layers.at(-1)!.units });

/** Returns the positions in the unlabelled set of the rows that the shard draws in its step. */
export function drawnBy(arena: Arena, { seed, stage, step, shard, shards, unlabelled }: GradientTask): number[] {
  if (!unlabelled) return [];
  const [first, end] = shardRange(arena.shape.unlabelled, shards, shard);
  const [firstRow, endRow] = shardRange(unlabelled.batch, shards, shard);
  const rows = endRow - firstRow;
  const sampler = new ShardSampler({ seed, stage, shard, count: end - first });
  return [...sampler.draw(step * rows, rows)].map((position) => position + first);
}

const unit = (image: Uint8Array): Float32Array => Float32Array.from(image, (byte) => byte / 255);

export const imageAt = ({ images }: Arena, position: number): Float32Array => unit(images.unlabelled.at(position));

/** Returns the labelled rows. Their weights make a mean over those of the whole step. */
export function labelledRowsOf({ model, labelled, labelledBatch }: GradientTask): Row[] {
  const { pixels, classes } = sizesOf(denseOf(model));
  return Array.from(labelled?.labels ?? [], (label, r) => ({
    input: unit(labelled!.images.subarray(r * pixels, (r + 1) * pixels)),
    target: oneHot(label, classes),
    weight: 1 / labelledBatch,
  }));
}

/** Returns the pseudo-labelled rows, with the labels and confidences in the arena. */
export function pseudoRowsOf(arena: Arena, task: GradientTask): Row[] {
  const { classes } = sizesOf(denseOf(task.model));
  const { batch, factor, settings } = task.unlabelled ?? PSEUDO;
  const labels = pseudoLabels(arena);
  const confidences = floats(arena, 'confidences', arena.shape.unlabelled);
  return drawnBy(arena, task).map((position) => ({
    input: imageAt(arena, position),
    target: oneHot(labels[position]!, classes),
    weight: confidences[position]! >= Number(settings.threshold) ? factor / batch : 0,
  }));
}

/** Returns rows to reconstruct. The loss is the mean over the batch of the mean over the pixels. */
export function reconstructedRowsOf(arena: Arena, task: GradientTask): Row[] {
  const { batch, factor } = task.unlabelled!;
  return drawnBy(arena, task).map((position) => {
    const input = imageAt(arena, position);
    return { input, target: input, weight: factor / batch / input.length };
  });
}

export function oneHot(label: number, classes: number): number[] {
  return Array.from({ length: classes }, (_, c) => Number(c === label));
}

/**
 * Returns the rows with dropout of their inputs, and the factors of their hidden activations, from the task's random
 * streams.
 */
export function droppedOut(task: GradientTask, rows: readonly Row[]): Row[] {
  const { seed, stage, step, shard } = task;
  const model = denseOf(task.model);
  const padded = paddedRows(rows.length);
  const pixels = model.layers[0]!.inputs;
  const factorsOf = (layer: number, rate: number, n: number) =>
    rate === 0
      ? new Float32Array(n).fill(1)
      : dropoutFactors(laneStates(keyOf(seed, 'mask', stage, step, shard, layer + 1)), n, dropoutOf(rate, 0));
  const visible = factorsOf(-1, model.inputDropout, padded * pixels); // row by row
  const hidden = model.layers.slice(0, -1).map(({ dropout, units }, l) => factorsOf(l, dropout, units * padded)); // unit by unit
  return rows.map((row, r) => ({
    ...row,
    input: Float32Array.from(row.input, (value, i) => value * visible[r * pixels + i]!),
    factors: hidden.map((factors, l) =>
      Float32Array.from({ length: model.layers[l]!.units }, (_, u) => factors[u * padded + r]!),
    ),
  }));
}

export function gradientBufferOf(arena: Arena, shard: number): Float32Array {
  return new Float32Array(
    arena.memory.buffer,
    arena.regions.gradientBuffers + shard * gradientStride(arena.shape),
    arena.shape.parameterCount,
  );
}

/**
 * Returns the largest difference in any part (kernel or bias of a layer), as a share of that part's largest element.
 * Returns NaN if there is a NaN.
 */
export function worstPart(model: DenseModel, found: ArrayLike<number>, expected: Float32Array): number {
  const { places } = layoutOf(model);
  const share = (start: number, length: number): number => {
    const part = Array.from(expected.subarray(start, start + length));
    const differences = part.map((value, i) => Math.abs(found[start + i]! - value));
    return Math.max(...differences) / Math.max(...part.map(Math.abs));
  };
  const shares = model.layers.flatMap(({ units, inputs }, l) => [
    share(places[l]!.kernel, units * inputs),
    share(places[l]!.bias, units),
  ]);
  return Math.max(...shares);
}

/** Returns a generator of uniform numbers in [0, 1). */
export function uniform(seed: number): () => number {
  const stream = new Stream(keyOf(seed, 'split', 4));
  return () => stream.uniform();
}

/**
 * The tolerance for a part of a gradient, relative to its largest element. The reference sums floats in another order.
 */
export const TOLERANCE = 2e-6;

export const parametersOf = (arena: Arena): Float32Array =>
  floats(arena, 'parameters', arena.shape.parameterCount).slice();

export function rowsOf(arena: Arena, task: GradientTask): Row[] {
  return task.model.objective === 'reconstruction'
    ? reconstructedRowsOf(arena, task)
    : [...labelledRowsOf(task), ...pseudoRowsOf(arena, task)];
}

/** Returns a gradient without its parts: what lies between them. */
export function betweenParts(model: DenseModel, gradient: Float32Array): Float32Array {
  const between = gradient.slice();
  const { places } = layoutOf(model);
  model.layers.forEach(({ units, inputs }, l) => {
    between.fill(0, places[l]!.kernel, places[l]!.kernel + units * inputs);
    between.fill(0, places[l]!.bias, places[l]!.bias + units);
  });
  return between;
}
