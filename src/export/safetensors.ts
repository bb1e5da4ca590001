// Exports models as safetensors files (https://huggingface.co/docs/safetensors): the weights by name, with a
// description as metadata.
import { nameOf } from '../models/layers/topology.js';
import type { PlainModel } from './plain-model.js';

/** The first tensor begins at a multiple of this, because readers map the file into memory. */
const ALIGNMENT = 8;

/**
 * Yields the file. Tensors have Keras' names (conv_1/kernel) and layout. The metadata has the topology and what
 * model.json says about the model.
 */
export function* safetensorsOf({ layers, topology, metadata }: PlainModel): Generator<Uint8Array> {
  const tensors: Record<string, object> = {
    __metadata__: {
      format: 'tf',
      topology: JSON.stringify(topology),
      ...(metadata && { pseudolabel: JSON.stringify(metadata) }),
    },
  };
  let end = 0;
  const all = layers.flatMap(({ layer, weights }) => weights.map((weight) => ({ ...weight, layer: nameOf(layer) })));
  for (const { layer, name, shape, values } of all) {
    tensors[`${layer}/${name}`] = { dtype: 'F32', shape, data_offsets: [end, end + values.byteLength] };
    end += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(tensors));
  const header = Buffer.alloc(Math.ceil(json.length / ALIGNMENT) * ALIGNMENT, ' ');
  json.copy(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  yield length;
  yield header;
  for (const { values } of all) yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}
