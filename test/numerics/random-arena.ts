// Makes small arenas full of random bytes, so that no test passes because memory happened to be 0.
import { type Arena, type ArenaShape, createArena, floats, pseudoLabels } from '../../src/engine/arena.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { isTensorParallel } from '../../src/models/dense/tensor-blocks.js';
import { tensorShardCount, tensorShardRoom } from '../../src/models/dense/tensor-layout.js';
import { workspaceOf } from '../../src/models/dense/workspace.js';
import { createEngine, type Engine } from '../../src/models/engine.js';
import { initialParameters } from '../../src/models/models.js';
import { keyOf, Stream } from '../../src/random.js';

const UNLABELLED = 90;
/** The rows of one task that a workspace has room for, and not one more. */
export const MOST_ROWS = 64;
const MOST = { rows: MOST_ROWS, clean: MOST_ROWS };

/**
 * Makes an arena for two workspaces and `shards` shards of `model`. Images, pseudo-labels and confidences are random;
 * labels are below the number of classes.
 */
export function randomArena(model: DenseModel, shards: number, seed = 1): Arena {
  const shape: ArenaShape = {
    pixels: model.layers[0]!.inputs,
    unlabelled: UNLABELLED,
    evaluation: 40,
    parameterCount: layoutOf(model).length,
    shards,
    workspaces: 2,
    workspaceBytes: workspaceOf(model, MOST_ROWS, true).end,
    ...(isTensorParallel(model) ? tensorShardRoom(model, MOST, tensorShardCount(model, shards)) : {}),
  };
  const arena = createArena(shape);
  const stream = new Stream(keyOf(seed, 'split', 1));
  const { pseudoLabels: first, normals, updateLogs, end } = arena.regions;
  for (const { parts } of [arena.images.unlabelled, arena.images.evaluation])
    for (const { store } of parts)
      for (const view of store.views())
        view.forEach((_, i) => {
          view[i] = stream.below(256);
        });
  for (const [from, to] of [
    [first, normals],
    [updateLogs, end],
  ] as const) {
    const words = new Uint32Array(arena.memory.buffer, from, (to - from) / 4);
    for (let i = 0; i < words.length; i++) words[i] = stream.nextUint32();
  }
  floats(arena, 'parameters', shape.parameterCount).set(randomParameters(model, seed));
  for (const region of ['firstMoment', 'secondMoment'] as const) floats(arena, region, shape.parameterCount).fill(0);
  const classes = model.layers.at(-1)!.units;
  const labels = pseudoLabels(arena);
  labels.forEach((_, i) => {
    labels[i] = stream.below(classes);
  });
  const confidences = floats(arena, 'confidences', UNLABELLED);
  confidences.forEach((_, i) => {
    confidences[i] = stream.uniform();
  });
  return arena;
}

export function randomEngine(model: DenseModel, shards: number, seed = 1): Engine {
  return createEngine(randomArena(model, shards, seed));
}

/** Returns kernels as at the start of a run, but biases that are not 0. */
export function randomParameters(model: DenseModel, seed: number): Float32Array {
  const parameters = initialParameters(model, seed, 0);
  const stream = new Stream(keyOf(seed, 'split', 2));
  model.layers.forEach(({ units }, l) => {
    const { bias } = layoutOf(model).places[l]!;
    for (let u = 0; u < units; u++) parameters[bias + u] = 0.6 * stream.uniform() - 0.3;
  });
  return parameters;
}

export function randomBytes(length: number, seed: number): Uint8Array {
  const stream = new Stream(keyOf(seed, 'split', 3));
  return Uint8Array.from({ length }, () => stream.below(256));
}
