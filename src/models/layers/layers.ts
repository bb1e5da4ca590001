// The table row of networks of TensorFlow.js layers, as a kind of model. The library of products computes plain chains,
// and TensorFlow all others.
import { createArena } from '../../engine/arena.js';
import { loadKernel } from '../../engine/kernel/kernel.js';
import { Products } from '../../engine/products.js';
import { keyOf, laneStates } from '../../random.js';
import type { ModelKind } from '../kind.js';
import { chainOf } from './chain.js';
import { ChainPasses } from './chain-passes.js';
import { chainPlacesOf } from './chain-workspace.js';
import {
  featuresOf,
  initialParameters,
  type LayersModel,
  membersOf,
  parametersOf,
  sizeOf,
  statisticsStart,
} from './model.js';
import { LayersPasses } from './passes.js';
import { type BuiltModel, buildAt } from './tensorflow.js';
import { placesOf } from './workspace.js';

export const layers: ModelKind<LayersModel> = {
  inputs: ({ inputShape }) => sizeOf(inputShape),
  outputs: ({ classes }) => classes,
  parameterCount: parametersOf,
  statisticsStart,
  featureWidths: (model) => new Array<number>(membersOf(model)).fill(featuresOf(model)),
  firstLayerEnd: parametersOf,
  initialise: initialParameters,
  workspaceBytes(model, rows, training) {
    const { end } = placesOf(model, rows, training);
    const chain = chainOf(model);
    return chain ? chainPlacesOf(chain, model, training, end).end : end;
  },
  needsTensorFlow: (model) => chainOf(model) === undefined,
  prepare: (model, { memory, regions }): Promise<BuiltModel[]> =>
    buildAt(model, { memory, address: regions.parameters }),
  beforeThreads: passOnce,
  passes(model, rows, hardware, { prepared, ...of }) {
    const chain = chainOf(model);
    if (chain) return new ChainPasses(hardware, model, chain, rows, of);
    return new LayersPasses(hardware, model, prepared as readonly BuiltModel[], rows, of);
  },
};

const ROWS = 8;

/**
 * Runs a step of the model in a small arena. The binding of tfjs-node keeps the names of attributes in one set for all
 * threads, without a lock (engine/tensorflow.ts). This step uses every name that the model's passes need, so that
 * threads only read the set afterwards.
 */
async function passOnce(model: LayersModel): Promise<void> {
  const pixels = sizeOf(model.inputShape);
  const arena = createArena({
    pixels,
    unlabelled: 0,
    evaluation: 0,
    parameterCount: parametersOf(model),
    shards: 1,
    workspaces: 1,
    workspaceBytes: placesOf(model, ROWS, true).end,
  });
  const hardware = { products: new Products(arena.memory), kernel: loadKernel(arena.memory), arena };
  const built = await buildAt(model, { memory: arena.memory, address: arena.regions.parameters });
  const passes = new LayersPasses(hardware, model, built, ROWS, { workspace: 0, training: true });
  passes.loadBytes(new Uint8Array(ROWS * pixels));
  passes.forward(undefined);
  passes.forward((layer) => laneStates(keyOf(0, 'mask', layer + 1)));
  passes.loss();
  passes.backward(0);
  passes.dispose();
}
