// Owns low-rank compression with error feedback (Vogels et al. 2019, "PowerSGD", algorithms 1 and 2) on one member's arena, pass by pass. Of
// each layer's matrix M, the sum of the member's gradients and of what was left of its last one:
//
//   left    M = gradients + residual, P = M Q        the region `total` holds M, `right` the Q of the last step's total, `partial` is to hold P
//   (the coordinator makes the sum of all P orthonormal: `left`)
//   right   Q = M^T P                                `partial`
//   error   residual of the next step = M - P Q^T
//   (the coordinator sums all Q: `right`)
//   total   the sum of all M is about P Q^T          `total`
//
// The sum of all totals and of all members' residuals is that of all gradients, whatever P is: which part of a sum is late depends on it, and
// nothing is lost. Biases, and matrices that are no longer than their factors, have no residual: they travel as they are.
import { shardRange } from '../data/shards.js';
import type { FactorResult, FactorTask } from '../protocol/factors.js';
import { type Arena, slotStride } from './arena.js';
import type { Engine } from './engine.js';
import { type FactoredLayer, factoringOf } from './factors.js';
import type { Kernel } from './kernel/kernel.js';
import type { Model } from './model.js';

/** Units of a matrix that are summed and multiplied while they are in the cache; a multiple of 4, as columns are. */
const UNITS = 32;
const COLUMNS = 16;

/** Safe to call again with the same task. */
export function lowRank({ kernel, arena }: Engine, task: FactorTask): FactorResult {
  const began = performance.now();
  const pass = { left, right, error }[task.pass];
  for (const layer of factoringOf(task.model, task.rank).layers) pass(kernel, arena, task, layer);
  return { milliseconds: performance.now() - began };
}

/** The total of floats [start, end) of the parameter vector, from its factors. The same bits wherever, and however it is cut. */
export function expandTotal(
  kernel: Kernel,
  arena: Arena,
  { model, rank }: { readonly model: Model; readonly rank: number },
  start: number,
  end: number,
): void {
  const { regions, memory } = arena;
  const total = new Float32Array(memory.buffer, regions.total);
  const right = new Float32Array(memory.buffer, regions.right);
  let done = start;
  const within = (at: number, length: number, write: (from: number, to: number) => void) => {
    const [from, to] = [Math.max(at, start), Math.min(at + length, end)];
    if (from >= to) return;
    // Padding between the parts is 0.
    total.fill(0, done, from);
    write(from - at, to - at);
    done = to;
  };
  for (const layer of factoringOf(model, rank).layers) {
    const { units, inputs, bias, rightBias } = layer;
    const copied = (at: number, source: number) => (from: number, to: number) =>
      total.set(right.subarray(source + from, source + to), at + from);
    const expanded = (from: number, to: number) => {
      const [p, q] = [regions.left + layer.left * 4, regions.right + layer.right * 4];
      kernel.expand(p, units, q, layer.rank, inputs, from, to, 0, regions.total + layer.kernel * 4);
    };
    within(layer.kernel, units * inputs, layer.rank > 0 ? expanded : copied(layer.kernel, layer.right));
    within(bias, units, copied(bias, rightBias));
  }
  total.fill(0, done, end);
}

function left(kernel: Kernel, arena: Arena, task: FactorTask, layer: FactoredLayer): void {
  const { regions } = arena;
  const { units, inputs, rank } = layer;
  const [first, end] = partOf(units, UNITS, task);
  for (let u = first; u < end; u += UNITS) {
    const rows = Math.min(UNITS, end - u);
    const at = layer.kernel + u * inputs;
    gather(kernel, arena, task, at, rows * inputs, rank > 0);
    const to = regions.partial + (layer.left + u) * 4;
    kernel.project(regions.total + at * 4, rows, inputs, regions.right + layer.right * 4, rank, to, units);
  }
  if (task.part === 0) gather(kernel, arena, task, layer.bias, units, false);
}

function right(kernel: Kernel, { regions, memory }: Arena, task: FactorTask, layer: FactoredLayer): void {
  const { units, inputs, rank } = layer;
  const [matrix, p, q] = [layer.kernel, layer.left, layer.right];
  const total = new Float32Array(memory.buffer, regions.total);
  const partial = new Float32Array(memory.buffer, regions.partial);
  if (rank > 0) {
    const [first, end] = partOf(inputs, COLUMNS, task);
    const [from, to] = [regions.left + p * 4, regions.partial + q * 4];
    kernel.projectBack(regions.total + matrix * 4, units, inputs, first, end, from, units, rank, to);
  } else if (task.part === 0) partial.set(total.subarray(matrix, matrix + units * inputs), q);
  if (task.part === 0) partial.set(total.subarray(layer.bias, layer.bias + units), layer.rightBias);
}

function error(kernel: Kernel, { regions }: Arena, task: FactorTask, layer: FactoredLayer): void {
  const { units, inputs, rank } = layer;
  if (rank === 0) return;
  const [first, end] = partOf(units, UNITS, task);
  const [p, q] = [regions.left + layer.left * 4, regions.partial + layer.right * 4];
  const [matrix, to] = [regions.total + layer.kernel * 4, regions[task.error] + layer.kernel * 4];
  kernel.expand(p, units, q, rank, inputs, first * inputs, end * inputs, matrix, to);
}

/** The member's sum of some floats, from `at`, a multiple of 4; up to 3 more are written. */
function gather(
  kernel: Kernel,
  { regions, memory, shape }: Arena,
  { shards, residual }: FactorTask,
  at: number,
  length: number,
  hasResidual: boolean,
): void {
  const to = regions.total + at * 4;
  const n = Math.ceil(length / 4) * 4;
  const [first, ...others] = shards.map((shard) => regions.slots + shard * slotStride(shape) + at * 4);
  new Uint8Array(memory.buffer).copyWithin(to, first!, first! + n * 4);
  for (const slot of others) kernel.add(to, slot, n);
  if (hasResidual && residual) kernel.add(to, regions[residual] + at * 4, n);
}

/** The part of so many units or inputs that a task does: whole blocks. */
function partOf(count: number, block: number, { part, parts }: FactorTask): [first: number, end: number] {
  const [first, end] = shardRange(Math.ceil(count / block), parts, part);
  return [first * block, Math.min(end * block, count)];
}
