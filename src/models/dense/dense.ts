// The table row of dense networks, as a kind of model.
import type { ModelKind } from '../kind.js';
import { type DenseModel, initialParameters, layoutOf } from './model.js';
import { Network } from './network.js';
import { workspaceOf } from './workspace.js';

export const dense: ModelKind<DenseModel> = {
  inputs: ({ layers }) => layers[0]!.inputs,
  outputs: ({ layers }) => layers.at(-1)!.units,
  parameterCount: (model) => layoutOf(model).length,
  featureWidths: ({ layers }) => [layers.at(-1)!.inputs],
  firstLayerEnd(model) {
    const { places, length } = layoutOf(model);
    return places[1]?.kernel ?? length;
  },
  initialise: initialParameters,
  workspaceBytes: (model, rows, training) => workspaceOf(model, rows, training).end,
  passes: (model, rows, hardware, of) => new Network(hardware, model, rows, of),
};
