// Owns a shard's part of a training step: draws its rows, labels them, and writes the gradient of its part of the loss to its slot.
import { shardRange } from '../../data/shards.js';
import { gradientStride } from '../../engine/arena.js';
import { Progress } from '../../engine/gradient-progress.js';
import type { GradientResult, GradientTask, UnlabelledRows } from '../../engine/tasks.js';
import { keyOf, laneStates } from '../../random.js';
import { layoutOf, type Model } from '../model.js';
import type { Engine } from './engine.js';
import type { Network } from './network.js';
import { paddedRows } from './workspace.js';

/** A shard's unlabelled rows of a step. Classes are empty for a reconstruction. */
interface Drawn {
  readonly positions: Uint32Array;
  readonly classes: Uint8Array;
  readonly confidences: Float32Array;
  readonly classMasses: readonly number[];
}

const UNSURE = { classes: new Uint8Array(), confidences: new Float32Array(), classMasses: [] } as const;

/** The sum over all shards is the gradient of L = mean labelled + factor * mean unlabelled, whatever their number. */
export function gradient(engine: Engine, task: GradientTask): GradientResult {
  const began = performance.now();
  const { labelled, model } = task;
  const drawn = draw(engine, task);
  const labels = labelled?.labels ?? new Uint8Array();
  const rows = labels.length + drawn.positions.length;
  if (rows === 0) return nothing(engine, task);

  const network = engine.network(model, paddedRows(rows), task.workspace, true);
  network.inputs.loadBytes(labelled?.images ?? new Uint8Array());
  network.inputs.load(engine.arena.regions.images, drawn.positions, labels.length);
  const counted = setTargets(network, task, labels, drawn);
  const loaded = performance.now();

  const streamOf = (layer: number) =>
    laneStates(keyOf(task.seed, 'mask', task.stage, task.step, task.shard, layer + 1));
  network.forward(streamOf);
  network.loss();
  const losses = network.losses();
  const forward = performance.now();

  const finite = network.backward(task.shard);
  const ended = performance.now();
  const unlabelledLosses = losses.subarray(labels.length, rows);
  return {
    rows,
    labelledLoss: sum(losses.subarray(0, labels.length)),
    unlabelledLoss: sum(unlabelledLosses.filter((_, r) => counted[r])) / termsOf(model),
    counted: sum(counted),
    classMasses: drawn.classMasses,
    finite: finite && losses.subarray(0, rows).every(Number.isFinite),
    milliseconds: { input: loaded - began, forward: forward - loaded, backward: ended - forward },
  };
}

function draw(engine: Engine, task: GradientTask): Drawn {
  const { unlabelled, seed, stage, step, shard, shards, model } = task;
  if (!unlabelled) return { positions: new Uint32Array(), ...UNSURE };
  const { arena } = engine;
  const [first, end] = shardRange(arena.shape.unlabelled, shards, shard);
  const [firstRow, endRow] = shardRange(unlabelled.batch, shards, shard);
  const rows = endRow - firstRow;
  const sampler = engine.sampler({ seed, stage, shard, count: end - first });
  const positions = sampler.draw(step * rows, rows).map((position) => position + first);
  if (model.objective === 'reconstruction' || rows === 0) return { positions, ...UNSURE };
  if (unlabelled.pseudoLabels === 'fresh') return { positions, ...predictNow(engine, task, positions) };
  const stored = new Uint8Array(arena.memory.buffer, arena.regions.pseudoLabels, arena.shape.unlabelled);
  const sure = new Float32Array(arena.memory.buffer, arena.regions.confidences, arena.shape.unlabelled);
  return {
    positions,
    classes: Uint8Array.from(positions, (p) => stored[p]!),
    confidences: Float32Array.from(positions, (p) => sure[p]!),
    classMasses: [],
  };
}

/** Pseudo-labels "at each weights update" (Lee 2013, section "Pseudo-Label"): a pass without dropout over the rows about to be trained on. */
function predictNow(engine: Engine, { model, workspace, unlabelled }: GradientTask, positions: Uint32Array) {
  const network = engine.network(model, paddedRows(positions.length), workspace, false);
  network.inputs.load(engine.arena.regions.images, positions, 0);
  network.forward(undefined);
  const classMasses = network.classify(positions.length, unlabelled?.logitShift, unlabelled?.masses);
  return { ...network.predictions(positions.length), classMasses };
}

/** Sets targets and row weights; returns 1 for each unlabelled row that counts. */
function setTargets(network: Network, task: GradientTask, labels: Uint8Array, drawn: Drawn): Uint8Array {
  const { unlabelled, labelledBatch, model, seed, stage, step, shard } = task;
  const weights = network.weights().fill(0);
  weights.fill(1 / labelledBatch, 0, labels.length);
  const counted = countedRows(unlabelled, drawn);
  const each = unlabelled ? unlabelled.factor / unlabelled.batch : 0;
  if (model.objective === 'reconstruction') {
    weights.fill(each / termsOf(model), 0, counted.length);
    network.inputs.keepAsTargets();
    network.inputs.addNoise(unlabelled?.noise ?? 0, laneStates(keyOf(seed, 'noise', stage, step, shard)));
    return counted;
  }
  counted.forEach((counts, r) => {
    weights[labels.length + r] = counts * each;
  });
  const targets = network.targets().fill(0);
  const oneHot = (row: number, label: number) => {
    targets[label * network.rows + row] = 1;
  };
  for (const [r, label] of labels.entries()) oneHot(r, label);
  for (const [r, label] of drawn.classes.entries()) oneHot(labels.length + r, label);
  return counted;
}

/** A row's loss is the mean over the pixels of a reconstruction, the sum over the classes of a classifier. */
function termsOf({ objective, layers }: Model): number {
  return objective === 'reconstruction' ? layers.at(-1)!.units : 1;
}

function countedRows(unlabelled: UnlabelledRows | undefined, { positions, confidences }: Drawn): Uint8Array {
  const counted = new Uint8Array(positions.length).fill(1);
  const threshold = unlabelled?.threshold ?? 0;
  confidences.forEach((confidence, r) => {
    counted[r] = Number(confidence >= threshold);
  });
  return counted;
}

/** A shard without rows in this step still owns its slot: a gradient of 0. */
function nothing({ arena }: Engine, { shard, model }: GradientTask): GradientResult {
  const stride = gradientStride(arena.shape);
  new Uint8Array(arena.memory.buffer, arena.regions.gradientBuffers + shard * stride, stride).fill(0);
  new Progress(arena).reached(shard, layoutOf(model).length);
  const milliseconds = { input: 0, forward: 0, backward: 0 };
  return { rows: 0, labelledLoss: 0, unlabelledLoss: 0, counted: 0, classMasses: [], finite: true, milliseconds };
}

/** In row order and double precision: the same for every split of the work. */
function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
