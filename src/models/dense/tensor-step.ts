// A worker's part of a tensor-parallel step: the rows, which all shards share, and the passes of a group of shards over
// them.
import { drawOfShards } from '../../data/sampling.js';
import { shardRange } from '../../data/shards.js';
import type { Products } from '../../engine/products.js';
import { keyOf, laneStates } from '../../random.js';
import type { Engine } from '../engine.js';
import type { TensorResult, TensorTask } from '../tensor-tasks.js';
import { dropoutOf } from './layer.js';
import type { DenseModel } from './model.js';
import { exchangesOf, parallelBlocksOf } from './tensor-blocks.js';
import { isPast, progressOf, signalOf } from './tensor-exchange.js';
import {
  type GroupBuffers,
  placesIn,
  type RowCounts,
  rowCountsOf,
  type TensorShardPlaces,
  tensorShardCount,
} from './tensor-layout.js';
import type { TensorShard } from './tensor-shard.js';

/** Runs a task. It may run again after a worker died in it, or after a worker's patience ended. */
export function tensorStep(engine: Engine, task: TensorTask): TensorResult {
  const counts = rowCountsOf(task.labelledBatch, task);
  const places = placesIn(engine.arena, task.model, counts, tensorShardCount(task.model, task.shards), task.groups);
  const [progress, group] = signalOf(engine.arena, places, task.group);
  const milliseconds = { input: 0, forward: 0, waiting: 0, backward: 0 };
  let now = performance.now();
  const spent = (on: keyof typeof milliseconds): void => {
    const before = now;
    now = performance.now();
    milliseconds[on] += now - before;
  };
  for (const [e, exchange] of exchangesOf(task.model).entries()) {
    if (!isPast(Atomics.load(progress, group), task.number, e + 1)) {
      if (e === 0) loadRows(engine, task, counts, places);
      spent('input');
      for (const each of shardsOf(engine, task, counts, places, exchange.block)) {
        if (exchange.pass === 'forward') forward(engine, task, places, each);
        else each.shard.inputGradient(scaleOf(task.model, each.block));
      }
      Atomics.store(progress, group, progressOf(task.number, e + 1));
      Atomics.notify(progress, group);
      spent(exchange.pass);
    }
    const isThere = valuesCome(engine, task, places, e);
    spent('waiting');
    if (!isThere) return { isUpdated: false, milliseconds };
  }
  const { model, optimizer, number } = task;
  for (const block of parallelBlocksOf(model).keys()) {
    const scale = scaleOf(model, block);
    for (const { shard } of shardsOf(engine, task, counts, places, block)) shard.backward(scale, optimizer, number);
  }
  spent('backward');
  return { isUpdated: true, milliseconds };
}

function valuesCome(
  { arena }: Engine,
  { number, patience }: TensorTask,
  places: TensorShardPlaces,
  exchange: number,
): boolean {
  const [signal, index] = signalOf(arena, places, 'given');
  const deadline = performance.now() + patience;
  for (;;) {
    const value = Atomics.load(signal, index);
    if (isPast(value, number, exchange + 1)) return true;
    if (value === -progressOf(number, 0)) return false;
    if (Atomics.wait(signal, index, value, Math.max(0, deadline - performance.now())) === 'timed-out') return false;
  }
}

/** A tensor shard of a block, with the numbers of both. */
interface NumberedShard {
  readonly block: number;
  readonly index: number;
  readonly shard: TensorShard;
}

/** Returns the shards of the task. */
function shardsOf(
  engine: Engine,
  task: TensorTask,
  counts: RowCounts,
  places: TensorShardPlaces,
  block: number,
): NumberedShard[] {
  const { model, first, end } = task;
  return Array.from({ length: end - first }, (_, i) => {
    const index = first + i;
    return { block, index, shard: engine.tensorShard(model, counts, places, { ...task, block, shard: index }) };
  });
}

function forward(
  engine: Engine,
  task: TensorTask,
  places: TensorShardPlaces,
  { block, index, shard }: NumberedShard,
): void {
  const { model, seed, stage, step } = task;
  const group = places.groups[task.group]!;
  const layer = parallelBlocksOf(model)[block]!;
  const { dropout } = layer.hidden;
  // Masks of the inputs come from the stream of tensor shard 0, layer 0. Those of a shard's units come from the streams
  // of the layers above.
  if (dropout > 0) setState(engine, group, keyOf(seed, 'mask', stage, step, index, layer.index + 1));
  shard.forward(dropoutOf(dropout, group.random));
}

const scaleOf = (model: DenseModel, block: number): number =>
  dropoutOf(parallelBlocksOf(model)[block]!.hidden.dropout, 0).scale;

/**
 * Loads the group's inputs: the clean rows if labels are wanted, then all rows with noise or dropout, both with lists
 * of their non-zeros.
 */
function loadRows(
  { arena, kernel, products, sampler }: Engine,
  task: TensorTask,
  { rows, clean }: RowCounts,
  places: TensorShardPlaces,
): void {
  const group = places.groups[task.group]!;
  const { model, seed, stage, step, labelledBatch } = task;
  const pixels = model.layers[0]!.inputs;
  kernel.loadRows(places.labelledImages, labelledBatch, labelledBatch, pixels, group.x);
  const unlabelled = group.x + labelledBatch * pixels * 4;
  const drawn = drawOfShards(sampler, { ...task, count: arena.shape.unlabelled, batch: task.unlabelledBatch });
  arena.images.unlabelled.gather(drawn, new Uint8Array(arena.memory.buffer, group.images, drawn.length * pixels));
  kernel.loadRows(group.images, drawn.length, rows - labelledBatch, pixels, unlabelled);
  if (task.noise) addNoise({ arena, kernel }, task, unlabelled, group);
  if (clean > 0) {
    const rowsOf = (at: number) => new Float32Array(arena.memory.buffer, at, clean * pixels);
    rowsOf(group.cleanRows).set(rowsOf(unlabelled));
    products.listByRow({ matrix: products.matrix(unlabelled, clean, pixels), isRowMajor: true }, group.cleanLists);
  }
  if (model.inputDropout > 0) {
    setState({ arena }, group, keyOf(seed, 'mask', stage, step, 0, 0));
    const { keep, scale, random } = dropoutOf(model.inputDropout, group.random);
    kernel.dropout(group.x, rows * pixels, keep, scale, random);
  }
  listRows(products, model, rows, group);
}

/** Lists the non-zeros of the rows at x, after dropout. */
function listRows(products: Products, model: DenseModel, rows: number, { x, lists }: GroupBuffers): void {
  const read = { matrix: products.matrix(x, rows, model.layers[0]!.inputs), isRowMajor: true };
  products.listByRow(read, lists.byRow);
  products.listByInput(read, lists.byInput);
}

/** Adds noise to the rows at `x`. Each shard's rows have a stream of their own, as in data-parallel steps. */
function addNoise(
  { arena, kernel }: Pick<Engine, 'arena' | 'kernel'>,
  { model, seed, stage, step, shards, unlabelledBatch, noise = 0 }: TensorTask,
  x: number,
  group: GroupBuffers,
): void {
  const pixels = model.layers[0]!.inputs;
  for (let shard = 0; shard < shards; shard++) {
    const [first, end] = shardRange(unlabelledBatch, shards, shard);
    setState({ arena }, group, keyOf(seed, 'noise', stage, step, shard));
    kernel.addNoise(x + first * pixels * 4, (end - first) * pixels, noise, arena.regions.normals, group.random);
  }
}

function setState({ arena }: Pick<Engine, 'arena'>, { random }: GroupBuffers, key: Uint32Array): void {
  new Uint32Array(arena.memory.buffer, random, 16).set(laneStates(key));
}
