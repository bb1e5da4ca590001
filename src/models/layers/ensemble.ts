// Makes the topology of a saved ensemble: the members side by side on one input, and the mean of their probabilities.
import { nameOf, type Topology, type TopologyLayer } from './topology.js';

const INPUT = 'image';
const MEAN = 'mean';

/** Returns the name that a member's layer or weight has in the ensemble. */
export const memberName = (member: number, name: string): string => `member_${member + 1}_${name}`;

/** Returns the topology of an ensemble. topology: a member's, with its activation. inputShape: of an image. */
export function ensembleOf(topology: Topology, inputShape: readonly number[], members: number): Topology {
  const branches = Array.from({ length: members }, (_, member) => branchOf(topology, member));
  const input = {
    class_name: 'InputLayer',
    name: INPUT,
    config: { batch_input_shape: [null, ...inputShape], dtype: 'float32', sparse: false, name: INPUT },
    inbound_nodes: [],
  };
  const mean = {
    class_name: 'Average',
    name: MEAN,
    config: { name: MEAN, trainable: true },
    inbound_nodes: [branches.map(({ end }) => [end, 0, 0, {}])],
  };
  return {
    class_name: 'Functional',
    config: {
      name: 'ensemble',
      layers: [input, ...branches.flatMap(({ layers }) => layers), mean],
      input_layers: [[INPUT, 0, 0]],
      output_layers: [[MEAN, 0, 0]],
    },
  };
}

interface Branch {
  readonly layers: readonly TopologyLayer[];
  /** The name of the member's last layer. */
  readonly end: string;
}

function branchOf(topology: Topology, member: number): Branch {
  const isInput = ({ class_name }: TopologyLayer): boolean => class_name === 'InputLayer';
  const inputs = new Set(topology.config.layers.filter(isInput).map(nameOf));
  const renamed = (name: string): string => (inputs.has(name) ? INPUT : memberName(member, name));
  const own = topology.config.layers.filter((layer) => !isInput(layer));
  let before = INPUT;
  const layers = own.map((layer): TopologyLayer => {
    const name = memberName(member, nameOf(layer));
    const { batch_input_shape: _, ...config } = layer.config;
    const inbound_nodes =
      topology.class_name === 'Sequential' ? [[[before, 0, 0, {}]]] : withNames(layer.inbound_nodes, renamed);
    before = name;
    return { class_name: layer.class_name, name, config: { ...config, name }, inbound_nodes };
  });
  const [output] = (topology.config.output_layers as [[string]] | undefined) ?? [];
  return { layers, end: output ? renamed(output[0]) : before };
}

/** Renames the layers in nodes, which are lists of [layer, node, tensor, arguments]. */
const withNames = (nodes: unknown, renamed: (name: string) => string): unknown =>
  Array.isArray(nodes)
    ? typeof nodes[0] === 'string'
      ? [renamed(nodes[0]), ...nodes.slice(1)]
      : nodes.map((node) => withNames(node, renamed))
    : nodes;
