// Owns the update of a slice of the parameters: the sum over shards and the optimizer, in one pass of the kernel.
import type { OptimizerStep, UpdateResult, UpdateTask } from '../protocol/tasks.js';
import { JOURNAL_STRIDE, slotStride } from './arena.js';
import type { Engine } from './engine.js';

/** Safe to call again with the same task after a worker died in it: the journal of the slice says where to go on. */
export function update(engine: Engine, task: UpdateTask): UpdateResult {
  const began = performance.now();
  const { kernel, arena } = engine;
  const { parameters, firstMoment, secondMoment, total, journals } = arena.regions;
  const { start, end, optimizer, update: id } = task;
  // A total is a tree of one slot.
  const [slots, shards] = task.isSummed ? [total, 1] : [arena.regions.slots, task.shards];
  const journal = journals + task.slice * JOURNAL_STRIDE;
  const stride = slotStride(arena.shape);
  if (optimizer.kind === 'momentum') {
    const { a, b, c } = optimizer;
    kernel.momentum(parameters, firstMoment, slots, stride, shards, start, end, a, b, c, id, journal);
  } else {
    const { rate, beta1, beta2, epsilon } = optimizer;
    const { c1, c2 } = biasCorrections(optimizer);
    kernel.adam(
      parameters,
      firstMoment,
      secondMoment,
      slots,
      stride,
      shards,
      start,
      end,
      rate,
      beta1,
      beta2,
      c1,
      c2,
      epsilon,
      id,
      journal,
    );
  }
  return { milliseconds: performance.now() - began };
}

function biasCorrections({ beta1, beta2, t }: Extract<OptimizerStep, { kind: 'adam' }>) {
  return { c1: 1 / (1 - beta1 ** t), c2: 1 / (1 - beta2 ** t) };
}
