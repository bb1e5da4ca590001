// Predicts the speed of clusters of any size from measured compute times and a latency-bandwidth model of two
// collectives (Hockney's: a message of m bytes takes latency + m / bandwidth). `npm run bench -- links` compares it
// with runs.
import { PseudolabelError } from '../errors.js';
import { MAX_BULK } from '../protocol/limits.js';
import type { Mode } from './summary.js';

export interface LinkModel {
  readonly nodes: number;
  /** The bits per second of each node's link, in each direction. */
  readonly bitsPerSecond: number;
  readonly rttMilliseconds: number;
}

/** The measured cost of a step for one node, and the bytes that it would send. */
export interface NodeCost {
  /** Milliseconds of the work that is divided over the nodes. */
  readonly divided: number;
  /** Milliseconds of the work that every node does in full: the update, dispatch, waiting. */
  readonly repeated: number;
  /** The bytes of the sum that every node contributes to and receives; 0 if there is none. */
  readonly sumBytes: number;
  /** The bytes of the coordinator's message to all nodes together before a step, and of their answers. */
  readonly taskBytes: number;
  readonly answerBytes: number;
}

export const COLLECTIVES = ['star', 'tree'] as const;
export type Collective = (typeof COLLECTIVES)[number];

export interface Prediction {
  readonly nodes: number;
  readonly milliseconds: Readonly<Record<Collective, number>>;
  /** Compared with one node. */
  readonly speedUp: Readonly<Record<Collective, number>>;
  readonly efficiency: Readonly<Record<Collective, number>>;
}

/**
 * The bytes per second that a main thread sends or receives with TLS. Measured by `node scripts/bench/channel.mjs` on
 * two shared cores of an AMD EPYC: both directions had 240 to 410 MB/s.
 */
const CHANNEL_BYTES_PER_SECOND = 300e6;

/**
 * Measured times of steps of two and four hosts over shaped links of 1 and 10 Gbit/s, as multiples of the star's
 * prediction (docs/scaling.md). The predicted time is too long if main threads encrypt while others compute and idle
 * cores help them. It is too short if a busy coordinator lets links wait.
 */
const MEASURED: readonly [least: number, most: number] = [0.48, 1.47];

/**
 * Returns the milliseconds of a step with the interval that the comparison with runs leaves, such as '146.4 [70.3,
 * 215.2]'. The tree has no interval, because no run sums by a tree.
 */
export function millisecondsText({ nodes, milliseconds }: Prediction, collective: Collective): string {
  const value = milliseconds[collective];
  if (nodes === 1 || collective === 'tree') return value.toFixed(1);
  return `${value.toFixed(1)} [${MEASURED.map((factor) => (factor * value).toFixed(1)).join(', ')}]`;
}

/** Returns the speed-up in the same way, such as '0.41 [0.28, 0.85]'. */
export function speedUpText({ nodes, speedUp }: Prediction, collective: Collective): string {
  const value = speedUp[collective];
  if (nodes === 1 || collective === 'tree') return value.toFixed(2);
  const [least, most] = MEASURED;
  return `${value.toFixed(2)} [${[most, least].map((factor) => (value / factor).toFixed(2)).join(', ')}]`;
}

/** The assumptions of the model, for the report. */
export const ASSUMPTIONS: readonly string[] = [
  'every node is like this machine, and all links are alike: full duplex, at their nominal speed, without protocol overhead',
  `a node encrypts and copies ${CHANNEL_BYTES_PER_SECOND / 1e6} MB/s on one thread, sent and received together: a link faster than that is of no use`,
  'computing divides evenly over the nodes (smaller products are a little slower in fact); update, dispatch and waiting stay as measured',
  'nothing is sent while anything is computed, and adding partial sums on the way costs nothing',
  'star: the coordinator, one of the n nodes, takes in n - 1 sums over its one link and sends n - 1 back meanwhile, a chunk of 1 MiB behind: (n - 1) bytes / bandwidth + chunk / bandwidth + rtt, or what encrypting takes if that is longer',
  'tree: whole partial sums go up in ceil(log2 n) rounds and the sum comes down in as many: 2 ceil(log2 n) (bytes / bandwidth + rtt / 2); not what a run does so far',
  'in both, the tasks of a step go out from the coordinator first, and answers come back: bytes / bandwidth + rtt / 2 each',
  `intervals: held against runs of two and four hosts over links of 1 and 10 Gbit/s on a busy machine, a step of the star took ${MEASURED.join(' to ')} times what this says (docs/scaling.md)`,
];

const MOST_NODES = 65536;
const UNITS: Readonly<Record<string, number>> = { k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const TIMES: Readonly<Record<string, number>> = { us: 1e-3, ms: 1, s: 1e3 };

/** Reads a network such as 'nodes=64,link=10Gbps,rtt=0.2ms'. Throws E_USAGE. */
export function parseNetwork(text: string): LinkModel {
  const given = new Map(
    text.split(',').map((part) => part.split('=', 2).map((word) => word.trim()) as [string, string]),
  );
  const nodes = Number(given.get('nodes'));
  const link = /^(\d+(?:\.\d+)?)([kmgt])(?:bps|bit\/s)$/i.exec(given.get('link') ?? '');
  const rtt = /^(\d+(?:\.\d+)?)(us|ms|s)$/.exec(given.get('rtt') ?? '');
  const isWhole = Number.isInteger(nodes) && nodes >= 2 && nodes <= MOST_NODES;
  if (given.size !== 3 || !isWhole || !link || !(Number(link[1]) > 0) || !rtt) {
    const fix = `write it as nodes=64,link=10Gbps,rtt=0.2ms, with 2 to ${MOST_NODES} nodes`;
    throw new PseudolabelError('E_USAGE', `--simulate ${text} cannot be read`, fix);
  }
  return {
    nodes,
    bitsPerSecond: Number(link[1]) * UNITS[link[2]!.toLowerCase()]!,
    rttMilliseconds: Number(rtt[1]) * TIMES[rtt[2]!]!,
  };
}

/** Predicts 1, 2, 4, ... nodes up to those of the network. mode: as for workers. */
export function simulate(cost: NodeCost, network: LinkModel, mode: Mode): Prediction[] {
  const one = cost.divided + cost.repeated;
  return sizes(network.nodes).map((nodes) => {
    const work = (mode === 'strong' ? cost.divided / nodes : cost.divided) + cost.repeated;
    const times = COLLECTIVES.map((collective) => [
      collective,
      work + exchange(collective, nodes, cost, network, mode),
    ]);
    const milliseconds = Object.fromEntries(times) as Record<Collective, number>;
    const done = mode === 'strong' ? 1 : nodes;
    const ratios = (divisor: number) =>
      Object.fromEntries(COLLECTIVES.map((each) => [each, (done * one) / milliseconds[each] / divisor]));
    return {
      nodes,
      milliseconds,
      speedUp: ratios(1) as Record<Collective, number>,
      efficiency: ratios(nodes) as Record<Collective, number>,
    };
  });
}

/** Returns the milliseconds of a step's messages between `nodes` nodes. */
function exchange(collective: Collective, nodes: number, cost: NodeCost, network: LinkModel, mode: Mode): number {
  if (nodes === 1) return 0;
  const latency = network.rttMilliseconds / 2;
  const onLink = (bytes: number) => (8e3 * bytes) / network.bitsPerSecond;
  const onThread = (bytes: number) => (1e3 * bytes) / CHANNEL_BYTES_PER_SECOND;
  const sending = (bytes: number) => Math.max(onLink(bytes), onThread(bytes));
  // The coordinator's own part is not sent.
  const others = (mode === 'strong' ? 1 : nodes) * ((nodes - 1) / nodes);
  const messages = 2 * latency + sending(others * (cost.taskBytes + cost.answerBytes));
  if (cost.sumBytes === 0) return messages;
  const rounds = Math.ceil(Math.log2(nodes));
  const sums = (nodes - 1) * cost.sumBytes;
  const chunk = Math.min(MAX_BULK, cost.sumBytes);
  // One thread does both directions, over one link each at the same time.
  const star = 2 * latency + Math.max(onLink(sums + chunk), onThread(2 * sums));
  const tree = 2 * rounds * (latency + sending(cost.sumBytes));
  return messages + (collective === 'star' ? star : tree);
}

function sizes(nodes: number): number[] {
  const powers = Array.from({ length: Math.ceil(Math.log2(nodes)) }, (_, power) => 2 ** power);
  return [...powers, nodes];
}
