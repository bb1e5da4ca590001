// Owns hidden-unit sharding as a worker does it: the rows of a step, which all slices share, and the passes of a group of slices over them.
import { drawOfShards } from '../data/sampling.js';
import type { SliceResult, SliceTask } from '../protocol/slices.js';
import { keyOf, laneStates } from '../random.js';
import { dropoutOf } from './dense.js';
import type { Engine } from './engine.js';
import { precisionOf } from './model.js';
import { type GroupBuffers, placesIn, type RowCounts, rowCountsOf, type SlicePlaces, sliceCount } from './slices.js';
import { signalOf } from './slicing.js';

/** Safe to be done again after a worker died in it, and for those whose patience ended. */
export function slices(engine: Engine, task: SliceTask): SliceResult {
  const counts = rowCountsOf(task.labelledBatch, task);
  const places = placesIn(engine.arena, task.model, counts, sliceCount(task.model, task.shards), task.groups);
  const [forwarded, group] = signalOf(engine.arena, places, task.group);
  const began = performance.now();
  let loaded = began;
  if (Atomics.load(forwarded, group) !== task.number) {
    loadRows(engine, task, counts, places);
    loaded = performance.now();
    forward(engine, task, counts, places);
    Atomics.store(forwarded, group, task.number);
    Atomics.notify(forwarded, group);
  }
  const ended = performance.now();
  const isUpdated = gradientComes(engine, task, places);
  const waited = performance.now();
  if (isUpdated) backward(engine, task, counts, places);
  const milliseconds = {
    input: loaded - began,
    forward: ended - loaded,
    waiting: waited - ended,
    backward: performance.now() - waited,
  };
  return { isUpdated, milliseconds };
}

function gradientComes({ arena }: Engine, { number, patience }: SliceTask, places: SlicePlaces): boolean {
  const [signal, index] = signalOf(arena, places, 'gradient');
  const deadline = performance.now() + patience;
  for (;;) {
    const value = Atomics.load(signal, index);
    if (value === number) return true;
    if (Atomics.wait(signal, index, value, Math.max(0, deadline - performance.now())) === 'timed-out') return false;
  }
}

function forward(engine: Engine, task: SliceTask, counts: RowCounts, places: SlicePlaces): void {
  const { model, seed, stage, step, first, end } = task;
  const group = places.groups[task.group]!;
  const { dropout } = model.layers[0]!;
  for (let slice = first; slice < end; slice++) {
    // Masks of the inputs are drawn from the stream of slice 0, layer 0; a slice's own are of layer 1.
    if (dropout > 0) setState(engine, group, keyOf(seed, 'mask', stage, step, slice, 1));
    engine.slice(model, counts, places, task, slice).forward(dropoutOf(dropout, group.random));
  }
}

/** Goes on where a worker before has died in it. */
function backward(engine: Engine, task: SliceTask, counts: RowCounts, places: SlicePlaces): void {
  const { model, first, end, optimizer, number } = task;
  const { scale } = dropoutOf(model.layers[0]!.dropout, 0);
  for (let slice = first; slice < end; slice++) {
    engine.slice(model, counts, places, task, slice).backward(scale, optimizer, number);
  }
}

/** The group's inputs: clean where labels are wanted, then dropped out, both as the products read them. */
function loadRows(
  { arena, kernel, sampler }: Engine,
  task: SliceTask,
  { rows, clean }: RowCounts,
  places: SlicePlaces,
): void {
  const group = places.groups[task.group]!;
  const { model, seed, stage, step, labelledBatch } = task;
  const pixels = model.layers[0]!.inputs;
  const indices = (positions: ArrayLike<number>): number => {
    new Uint32Array(arena.memory.buffer, group.indices, positions.length).set(positions);
    return positions.length;
  };
  const labelled = indices(Uint32Array.from({ length: labelledBatch }, (_, r) => r));
  kernel.loadRows(places.labelledImages, group.indices, labelled, labelled, pixels, group.x);
  const unlabelled = group.x + labelledBatch * pixels * 4;
  const drawn = indices(drawOfShards(sampler, { ...task, count: arena.shape.unlabelled, batch: task.unlabelledBatch }));
  kernel.loadRows(arena.regions.images, group.indices, drawn, rows - labelledBatch, pixels, unlabelled);
  const toOperand = (from: number, count: number, to: number): void => {
    if (precisionOf(model) === 'bf16') kernel.round(from, count * pixels, to);
    else kernel.transpose(from, count, pixels, to);
  };
  if (clean > 0) toOperand(unlabelled, clean, group.cleanOperand);
  if (model.inputDropout > 0) {
    setState({ arena }, group, keyOf(seed, 'mask', stage, step, 0, 0));
    const { keep, scale, random } = dropoutOf(model.inputDropout, group.random);
    kernel.dropout(group.x, rows * pixels, keep, scale, random);
  }
  toOperand(group.x, rows, group.operand);
}

function setState({ arena }: Pick<Engine, 'arena'>, { random }: GroupBuffers, key: Uint32Array): void {
  new Uint32Array(arena.memory.buffer, random, 16).set(laneStates(key));
}
