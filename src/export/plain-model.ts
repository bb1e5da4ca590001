// A saved model in the form that all formats need: its layers in order, each with its weights as in Keras.
import { nameOf, type Topology, type TopologyLayer } from '../models/layers/topology.js';
import { filesOf, type ModelMeta, type SavedModel } from '../models/saved-model.js';

export interface PlainWeight {
  /** The name within its layer: kernel, bias, moving_mean. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

export interface PlainLayer {
  readonly layer: TopologyLayer;
  readonly weights: readonly PlainWeight[];
}

export interface PlainModel {
  /** The topology in Keras' form, with the model's last activation. */
  readonly topology: Topology;
  /** The shape without rows. */
  readonly inputShape: readonly number[];
  readonly layers: readonly PlainLayer[];
  readonly meta: ModelMeta | undefined;
  /** The metadata in model.json, for people. */
  readonly metadata: Readonly<Record<string, unknown>> | undefined;
}

export function plainModel({ model, parameters, meta }: SavedModel): PlainModel {
  const { json, pieces } = filesOf(model, parameters, meta);
  const topology = json.modelTopology as Topology;
  const bytes = Buffer.concat([...pieces]);
  const weights = new Map<string, PlainWeight[]>();
  let start = 0;
  for (const { name, shape } of json.weightsManifest.flatMap((group) => group.weights)) {
    const [own, layer] = name.split('/').toReversed() as [string, string];
    const length = shape.reduce((product, size) => product * size, 1);
    const values = new Float32Array(length);
    new Uint8Array(values.buffer).set(bytes.subarray(start, start + 4 * length));
    start += 4 * length;
    weights.set(layer, [...(weights.get(layer) ?? []), { name: own, shape, values }]);
  }
  return {
    topology,
    inputShape: model.kind === 'dense' ? [model.layers[0]!.inputs] : model.inputShape,
    layers: topology.config.layers.map((layer) => ({ layer, weights: weights.get(nameOf(layer)) ?? [] })),
    meta,
    metadata: json.userDefinedMetadata?.pseudolabel,
  };
}
