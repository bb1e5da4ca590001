// Computes the gradient that a network of layers writes to its gradient buffer, without dropout.
import type { Dataset } from '../../src/data/dataset.js';
import { createArena, floats } from '../../src/engine/arena.js';
import { loadKernel } from '../../src/engine/kernel/kernel.js';
import { Products } from '../../src/engine/products.js';
import { layers } from '../../src/models/layers/layers.js';
import type { LayersModel } from '../../src/models/layers/model.js';
import { withLayers } from '../../src/models/layers/topology.js';

const ROWS = 8;

/** Returns the same model without dropout. */
export const still = (model: LayersModel): LayersModel => ({
  ...model,
  topology: withLayers(model.topology, (each) =>
    each.class_name === 'Dropout' ? { ...each, config: { ...each.config, rate: 0 } } : each,
  ),
});

/** Returns the gradient of the mean loss over the first `count` images. */
export async function gradientOf(
  given: LayersModel,
  parameterCount: Float32Array,
  { train, classes }: Dataset,
  count: number,
) {
  const model = still(given);
  const arena = createArena({
    pixels: layers.inputs(model),
    unlabelled: 0,
    evaluation: 0,
    parameterCount: parameterCount.length,
    shards: 1,
    workspaces: 1,
    workspaceBytes: layers.workspaceBytes(model, ROWS, true),
  });
  floats(arena, 'parameters', parameterCount.length).set(parameterCount);
  const prepared = await layers.prepare!(model, arena);
  const hardware = { products: new Products(arena.memory), kernel: loadKernel(arena.memory), arena };
  const passes = layers.passes(model, ROWS, hardware, { workspace: 0, training: true, prepared });
  passes.targets().fill(0);
  passes
    .weights()
    .fill(0)
    .fill(1 / count, 0, count);
  for (let r = 0; r < count; r++) passes.targets()[train.labels[r]! * ROWS + r] = 1;
  if (classes < 2) throw new Error('no classes');
  passes.loadBytes(Buffer.concat([...train.images.views(0, count)]));
  passes.forward(() => new Uint32Array(16).fill(1));
  passes.loss();
  if (!passes.backward(0)) throw new Error('not finite');
  return new Float32Array(arena.memory.buffer, arena.regions.gradientBuffers, parameterCount.length).slice();
}
