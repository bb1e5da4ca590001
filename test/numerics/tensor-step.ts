// Does one step in tensor-parallel and in data-parallel form on a random arena, and returns the rows of the step,
// computed without the engine.
import { DataParallel } from '../../coordinator/strategies/data-parallel.js';
import type { StepRequest } from '../../coordinator/strategies/strategy.js';
import { TensorParallel } from '../../coordinator/strategies/tensor-parallel.js';
import { type Arena, floats, pseudoLabels } from '../../src/engine/arena.js';
import type { OptimizerStep } from '../../src/engine/optimizer.js';
import type { Products } from '../../src/engine/products.js';
import { dropoutOf } from '../../src/models/dense/layer.js';
import type { DenseModel } from '../../src/models/dense/model.js';
import { layoutOf } from '../../src/models/dense/model.js';
import { parallelBlocksOf } from '../../src/models/dense/tensor-blocks.js';
import { unitsOf } from '../../src/models/dense/tensor-layout.js';
import { createEngine } from '../../src/models/engine.js';
import { paddedRows } from '../../src/models/kind.js';
import { keyOf, laneStates } from '../../src/random.js';
import { nodeOn } from '../contract/one-thread-executor.js';
import { dropoutFactors } from './lane-generator.js';
import { randomArena } from './random-arena.js';
import type { Row } from './reference.js';
import { labelledRowsOf, pseudoRowsOf, reconstructedRowsOf, type StepOfShards, tasksOf } from './shard-task.js';

export const TOLERANCE = 2e-6;

/** Keeps exactly the gradient itself as the first moment, and leaves the parameters unchanged. */
const KEEP_GRADIENT: OptimizerStep = { kind: 'momentum', a: 0, b: 1, c: 0 };

/**
 * Prepares both forms of a step. prepare: changes the arena before the first step; returns the products that compute,
 * if they are not those of a run.
 */
export function setting(step: StepOfShards, prepare: (arena: Arena) => Products | undefined = () => undefined) {
  const arena = randomArena(step.model, step.shards);
  const node = nodeOn(createEngine(arena, prepare(arena)));
  const [task] = tasksOf({ ...step, shards: 1 });
  const request: StepRequest = { ...task!, labelled: task!.labelled, optimizer: KEEP_GRADIENT };
  const { unlabelled } = arena.shape;
  const stored = {
    classes: pseudoLabels(arena).slice(),
    confidences: floats(arena, 'confidences', unlabelled).slice(),
  };
  const gradient = () => floats(arena, 'firstMoment', layoutOf(step.model).length).slice();
  const images = arena.images.unlabelled;
  const rowsOf = step.model.objective === 'reconstruction' ? reconstructedRowsOf : pseudoRowsOf;
  return {
    arena,
    gradient,
    byTensorShards: () => new TensorParallel(node, step.shards, unlabelled, images).step(request, stored),
    byRows: () => new DataParallel(node, step.shards).step(request),
    /** The rows of the step: the labelled ones, then those that each shard draws. */
    rows: {
      labelled: labelledRowsOf(task!),
      unlabelled: tasksOf(step).flatMap((shard) => rowsOf(arena, shard)),
    },
  };
}

/**
 * Returns the rows with the masks that the tensor shards draw: one mask for the inputs, a mask of each shard for its
 * own units, and those of tensor shard 0 in narrow layers in the middle.
 */
export function droppedOut(model: DenseModel, shards: number, rows: readonly Row[]): Row[] {
  const padded = paddedRows(rows.length);
  const pixels = model.layers[0]!.inputs;
  const factors = (rate: number, n: number, ...key: number[]) =>
    rate === 0
      ? new Float32Array(n).fill(1)
      : dropoutFactors(laneStates(keyOf(11, 'mask', 1, 3, ...key)), n, dropoutOf(rate, 0));
  const visible = factors(model.inputDropout, padded * pixels, 0, 0);
  const hidden = model.layers.slice(0, -1).map(({ dropout, units }, layer) => {
    const block = parallelBlocksOf(model).findIndex(({ index }) => index === layer);
    if (block === -1) return factors(dropout, units * padded, 0, layer + 1);
    const parts = Array.from({ length: shards }, (_, slice) => {
      const [first, end] = unitsOf(model, shards, slice, block);
      return factors(dropout, (end - first) * padded, slice, layer + 1);
    });
    return Float32Array.from(parts.flatMap((part) => Array.from(part)));
  });
  return rows.map((row, r) => ({
    ...row,
    input: Float32Array.from(row.input, (value, i) => value * visible[r * pixels + i]!),
    factors: hidden.map((of) => of.filter((_, i) => i % padded === r)),
  }));
}
