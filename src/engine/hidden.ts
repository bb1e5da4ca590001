// Owns hidden-unit sharding as a worker does it: the rows of a step, which all slices share, and the passes of a group of slices over them.
import { drawOfShards } from '../data/sampling.js';
import type { BackwardResult, BackwardTask, ForwardResult, ForwardTask } from '../protocol/slices.js';
import { keyOf, laneStates } from '../random.js';
import { dropoutOf } from './dense.js';
import type { Engine } from './engine.js';
import { type GroupBuffers, placesIn, type RowCounts, rowCountsOf, type SlicePlaces, sliceCount } from './slices.js';

/** Safe to be done again, until the backward pass of the same step has begun. */
export function forward(engine: Engine, task: ForwardTask): ForwardResult {
  const began = performance.now();
  const { model, seed, stage, step, first, end } = task;
  const { counts, places } = geometryOf(engine, task);
  const group = places.groups[task.group]!;
  loadRows(engine, task, counts, places, group);
  const loaded = performance.now();
  const bounds = [];
  for (let slice = first; slice < end; slice++) {
    const { dropout } = model.layers[0]!;
    // Masks of the inputs are drawn from the stream of slice 0, layer 0; a slice's own are of layer 1.
    if (dropout > 0) setState(engine, group, keyOf(seed, 'mask', stage, step, slice, 1));
    bounds.push(engine.slice(model, counts, places, task, slice).forward(dropoutOf(dropout, group.random)));
  }
  return { bounds, milliseconds: { input: loaded - began, forward: performance.now() - loaded } };
}

/** Safe to be done again after a worker died in it. */
export function backward(engine: Engine, task: BackwardTask): BackwardResult {
  const began = performance.now();
  const { model, first, end, optimizer, update } = task;
  const { counts, places } = geometryOf(engine, task);
  const { scale } = dropoutOf(model.layers[0]!.dropout, 0);
  for (let slice = first; slice < end; slice++) {
    engine.slice(model, counts, places, task, slice).backward(scale, optimizer, update);
  }
  return { milliseconds: performance.now() - began };
}

function geometryOf({ arena }: Engine, task: Omit<ForwardTask, 'kind'>) {
  const counts = rowCountsOf(task.labelledBatch, task);
  return { counts, places: placesIn(arena, task.model, counts, sliceCount(task.model, task.shards), task.groups) };
}

/** The group's inputs: clean and transposed where labels are wanted, then dropped out and transposed. */
function loadRows(
  { arena, kernel, sampler }: Engine,
  task: ForwardTask,
  { rows, clean }: RowCounts,
  places: SlicePlaces,
  group: GroupBuffers,
): void {
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
  if (clean > 0) kernel.transpose(unlabelled, clean, pixels, group.cleanXt);
  if (model.inputDropout > 0) {
    setState({ arena }, group, keyOf(seed, 'mask', stage, step, 0, 0));
    const { keep, scale, random } = dropoutOf(model.inputDropout, group.random);
    kernel.dropout(group.x, rows * pixels, keep, scale, random);
  }
  kernel.transpose(group.x, rows, pixels, group.xt);
}

function setState({ arena }: Pick<Engine, 'arena'>, { random }: GroupBuffers, key: Uint32Array): void {
  new Uint32Array(arena.memory.buffer, random, 16).set(laneStates(key));
}
