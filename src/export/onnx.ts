// Exports models as ONNX files: the layers of a graph in order, from the images to the outputs.
import { nameOf, outputName, type TopologyLayer } from '../models/layers/topology.js';
import { GraphBuilder } from './onnx-graph.js';
import { addLayer } from './onnx-layers.js';
import { onnxBytes } from './onnx-proto.js';
import type { PlainModel } from './plain-model.js';

const INPUT = 'images';
const OUTPUT = 'outputs';

/** Writes a model. Throws RangeError for a layer that cannot be written. */
export function onnxFile({ topology, inputShape, layers, metadata }: PlainModel): Uint8Array {
  const graph = new GraphBuilder();
  const outputs = new Map<string, string>();
  let last = INPUT;
  for (const each of layers) {
    const [first = last, ...others] = inputsOf(each.layer).map((name) => outputOf(outputs, name));
    last = addLayer(graph, [first, ...others], each);
    outputs.set(nameOf(each.layer), last);
  }
  graph.nodes.push({
    operator: 'Identity',
    inputs: [outputOf(outputs, outputName(topology))],
    output: OUTPUT,
    attributes: {},
  });
  const classes = outputsIn(layers);
  const { nodes, constants } = graph;
  return onnxBytes(
    {
      name: 'pseudolabel',
      nodes,
      constants,
      input: { name: INPUT, shape: inputShape },
      output: { name: OUTPUT, shape: [classes] },
    },
    metadata ? { pseudolabel: JSON.stringify(metadata) } : {},
  );
}

/** Returns the layers whose outputs go into a layer. A Sequential model does not say them. */
function inputsOf({ inbound_nodes: nodes }: TopologyLayer): string[] {
  if (!Array.isArray(nodes) || nodes.length === 0) return [];
  if (nodes.length > 1) throw new RangeError('a layer that is used twice cannot be written as ONNX');
  return (nodes[0] as [string][]).map(([name]) => name);
}

function outputOf(outputs: ReadonlyMap<string, string>, layer: string): string {
  const found = outputs.get(layer);
  if (found === undefined) throw new RangeError(`the layer ${layer} comes behind one that needs it`);
  return found;
}

/** Returns the units of the last layer that has weights. The layers behind it do not change the shape. */
function outputsIn(layers: PlainModel['layers']): number {
  const shape = layers.findLast(({ weights }) => weights.length > 0)?.weights.at(-1)?.shape;
  return shape?.at(-1) ?? 0;
}
