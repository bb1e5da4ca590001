// A shard's part of a data-parallel step: draws its rows, sets their targets, and writes the gradient of its part of
// the loss to its buffer.

import { Augmenter } from '../data/augment.js';
import type { View } from '../data/augmentation.js';
import { shardRange } from '../data/shards.js';
import { gradientStride, pseudoLabels } from '../engine/arena.js';
import { GradientProgress } from '../engine/gradient-progress.js';
import type { Prediction } from '../methods/method.js';
import { lossSums, NO_PREDICTION, setTargets, storedPrediction } from '../methods/targets.js';
import { keyOf, laneStates } from '../random.js';
import type { Engine } from './engine.js';
import { type Passes, paddedRows } from './kind.js';
import { parameterCount, termsOf } from './models.js';
import type { GradientResult, GradientTask } from './tasks.js';

/**
 * Computes the gradient of one shard. The sum over all shards is the gradient of the step's loss (methods/targets.ts).
 */
export function gradient(engine: Engine, task: GradientTask): GradientResult {
  const began = performance.now();
  const { labelled, labelledBatch, unlabelled, model } = task;
  const { images, labels } = labelled ?? { images: new Uint8Array(), labels: new Uint16Array() };
  const positions = draw(engine, task);
  const rows = labels.length + positions.length;
  if (rows === 0) return nothing(engine, task);

  const prediction = predictionOf(engine, task, positions);
  const network = engine.network(model, paddedRows(rows), task.workspace, true);
  const terms = termsOf(model);
  const places = { targets: network.targets(), weights: network.weights() };
  const taught = setTargets({ labels, labelledBatch, unlabelled, terms }, prediction, places);
  loadRows(engine, task, network, images, positions);
  if (taught.areInputs) network.keepAsTargets();
  const { noise = 0 } = unlabelled ?? {};
  if (noise > 0) network.addNoise(noise, laneStates(streamOf(task, 'noise')));
  const loaded = performance.now();

  network.forward((layer) => laneStates(streamOf(task, 'mask', layer + 1)));
  network.loss(rows / (labelledBatch + (unlabelled?.batch ?? 0)));
  const losses = network.losses();
  const forward = performance.now();

  const finite = network.backward(task.shard);
  return {
    rows,
    ...lossSums(losses, labels.length, taught.counts, terms),
    statistics: taught.statistics,
    finite: finite && losses.subarray(0, rows).every(Number.isFinite),
    milliseconds: { input: loaded - began, forward: forward - loaded, backward: performance.now() - forward },
  };
}

/** Loads the labelled rows, then the unlabelled images at `positions`; each is augmented as the task says. */
function loadRows(
  engine: Engine,
  task: GradientTask,
  network: Passes,
  images: Uint8Array,
  positions: Uint32Array,
): void {
  const { labelledBatch, shard, shards } = task;
  const rows = images.length / engine.arena.shape.pixels;
  const [first] = shardRange(labelledBatch, shards, shard);
  network.loadBytes(viewOf(task, 'labelled', images, (r) => first + r) ?? images);
  loadUnlabelled(engine, task, network, { view: 'unlabelled', positions, first: rows });
}

/** Loads a view of unlabelled images from row `first` on. */
function loadUnlabelled(
  { arena }: Engine,
  task: GradientTask,
  network: Passes,
  { view, positions, first }: { readonly view: View; readonly positions: Uint32Array; readonly first: number },
): void {
  if (!task.augment?.[view]) {
    network.load(arena.images.unlabelled, positions, first);
    return;
  }
  const bytes = new Uint8Array(positions.length * arena.shape.pixels);
  arena.images.unlabelled.gather(positions, bytes);
  network.loadBytes(viewOf(task, view, bytes, (r) => positions[r]!)!, first);
}

/**
 * Returns augmented copies of images, or undefined if the task does not augment them. rowOf: the number of a row in its
 * random stream.
 */
function viewOf(
  { augment, seed, stage, step }: GradientTask,
  view: View,
  images: Uint8Array,
  rowOf: (r: number) => number,
): Uint8Array | undefined {
  const by = augment?.[view];
  if (!augment || !by) return undefined;
  const pixels = augment.height * augment.width * augment.channels;
  const augmenter = new Augmenter(augment);
  const result = new Uint8Array(images.length);
  for (let r = 0; r * pixels < images.length; r++) {
    const [start, end] = [r * pixels, (r + 1) * pixels];
    const name = { seed, stage, step, set: view, row: rowOf(r) };
    augmenter.write(images.subarray(start, end), by, name, result.subarray(start, end));
  }
  return result;
}

const streamOf = ({ seed, stage, step, shard }: GradientTask, purpose: 'mask' | 'noise', ...layer: number[]) =>
  keyOf(seed, purpose, stage, step, shard, ...layer);

/** Draws the positions of the shard's unlabelled rows of the step. */
function draw({ arena, sampler }: Engine, { unlabelled, seed, stage, step, shard, shards }: GradientTask): Uint32Array {
  if (!unlabelled) return new Uint32Array();
  const [first, end] = shardRange(arena.shape.unlabelled, shards, shard);
  const [firstRow, endRow] = shardRange(unlabelled.batch, shards, shard);
  const rows = endRow - firstRow;
  const drawn = sampler({ seed, stage, shard, count: end - first }).draw(step * rows, rows);
  return drawn.map((position) => position + first);
}

/** Predicts the rows that are about to be trained on: as stored, or by a pass without dropout over their weak view. */
function predictionOf(engine: Engine, task: GradientTask, positions: Uint32Array): Prediction {
  const { unlabelled, model, workspace } = task;
  const rows = positions.length;
  if (!unlabelled || rows === 0) return NO_PREDICTION;
  if (unlabelled.pseudoLabels === 'none') return { ...NO_PREDICTION, rows };
  if (unlabelled.pseudoLabels === 'stored') {
    const { memory, regions, shape } = engine.arena;
    return storedPrediction(positions, {
      classes: pseudoLabels(engine.arena),
      confidences: new Float32Array(memory.buffer, regions.confidences, shape.unlabelled),
    });
  }
  const network = engine.network(model, paddedRows(rows), workspace, false, unlabelled.teacher);
  loadUnlabelled(engine, task, network, { view: 'weak', positions, first: 0 });
  network.forward(undefined);
  return network.classify(rows, unlabelled.logitShift, unlabelled.masses);
}

/** Fills the gradient with zeros, for a shard that has no rows in this step. */
function nothing({ arena }: Engine, { shard, model }: GradientTask): GradientResult {
  const stride = gradientStride(arena.shape);
  new Uint8Array(arena.memory.buffer, arena.regions.gradientBuffers + shard * stride, stride).fill(0);
  new GradientProgress(arena).reached(shard, parameterCount(model));
  const milliseconds = { input: 0, forward: 0, backward: 0 };
  return { rows: 0, labelledLoss: 0, unlabelledLoss: 0, counted: 0, statistics: [], finite: true, milliseconds };
}
