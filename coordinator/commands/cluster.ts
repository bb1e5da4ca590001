// Owns a run over several machines, from its flags: the cluster, the server where nodes come in, and the wait for the first of them.
import type { Command } from 'commander';
import type { Dataset } from '../../src/data/dataset.js';
import type { Executor } from '../../src/engine/executor.js';
import { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import type { ClusterStatus } from '../../src/protocol/status.js';
import type { RunConfig } from '../../src/training/config.js';
import { planOf } from '../../src/training/plan.js';
import { formatAddress, parseAddress } from '../../worker/address.js';
import { ClusterExecutor } from '../executors/cluster/cluster-executor.js';
import type { ClusterListener } from '../executors/cluster/listener.js';
import type { NodeNow } from '../executors/cluster/node-activity.js';
import { ownAddress } from '../server/server.js';
import type { ListeningServer, Transport } from '../server/transport.js';
import { openSession, type Session, taskOf } from '../session.js';
import { idleLine } from '../terminal/summary.js';
import type { Terminal } from '../terminal/terminal.js';
import type { Invocation } from './invocation.js';
import { type Context, number } from './options.js';

export interface ClusterFlags {
  readonly listen?: string;
  readonly tokenFile?: string;
  readonly insecure?: boolean;
  readonly certificate?: string;
  readonly key?: string;
  readonly nodes?: number;
  readonly nodesTimeout?: number;
  readonly local?: boolean;
  readonly allowMixed?: boolean;
}

export interface ClusterSession extends Session {
  /** What the nodes on other machines are doing. */
  activities(): readonly NodeNow[];
}

/** Steps between two comparisons of the nodes' parameters: a checksum of 16 MB takes every machine some 10 ms. */
const CHECKSUM_EVERY = 100;
const NODES_TIMEOUT_S = 300;

export function addClusterOptions(command: Command): Command {
  return command
    .option('--listen <host:port>', 'let nodes on other machines join the run')
    .option('--token-file <file>', 'the token that nodes must know (made where there is none)')
    .option('--insecure', 'listen without TLS, beyond this machine too')
    .option('--certificate <file>', 'your own certificate, PEM (one that is made on first use)')
    .option('--key <file>', 'its key, PEM')
    .option('--nodes <n>', 'wait for so many nodes before the first step (0)', number)
    .option('--nodes-timeout <s>', `how long to wait for nodes, also where all are gone (${NODES_TIMEOUT_S})`, number)
    .option('--no-local', 'leave computing to the nodes')
    .option(
      '--wire <form>',
      'how sums of gradients travel: f32, or, training data parallel, bf16 (half the bytes) (f32)',
    );
}

/** Throws E_USAGE, E_NODES, E_INTERRUPTED, and what listening throws. */
export async function openClusterSession(
  config: RunConfig,
  dataset: Dataset,
  flags: ClusterFlags & { readonly listen: string },
  { terminal, signal, invocation }: Context,
  transport: Transport,
  traced: (node: Executor) => Executor = (node) => node,
  watcher?: Pick<ClusterListener, 'joined' | 'left'>,
): Promise<ClusterSession> {
  const { nodes = 0, local = true, nodesTimeout = NODES_TIMEOUT_S } = flags;
  checkNodes(flags, config.shards);
  const clusters: ClusterExecutor[] = [];
  const stages = planOf(config, taskOf(config, dataset));
  const idle = (cluster: ClusterExecutor) => idleLine(config, stages, cluster.workers);
  const session = await openSession([config], dataset, (node, fingerprint) => {
    const cluster = new ClusterExecutor(node, {
      computes: local,
      checksumEvery: CHECKSUM_EVERY,
      patienceMs: nodesTimeout * 1000,
      fingerprint,
      allowMixed: flags.allowMixed ?? false,
      wire: config.wire,
      plan: stages.map(({ name, steps }) => ({ name, steps: Math.min(steps, config.maxSteps ?? steps) })),
      listener: announcer(terminal, () => idle(clusters[0]!), watcher),
    });
    clusters.push(cluster);
    return traced(cluster);
  });
  const [cluster] = clusters as [ClusterExecutor];
  let server: ListeningServer | undefined;
  const close = async () => {
    server?.close();
    for (const line of trafficLines(cluster.status())) terminal.note(line);
    await session.close();
  };
  try {
    server = await transport.listen({
      address: flags.listen,
      tokenFile: flags.tokenFile,
      insecure: flags.insecure ?? false,
      certificate: flags.certificate && flags.key ? { file: flags.certificate, key: flags.key } : undefined,
    });
    if (config.wire !== 'f32') terminal.note(roundedNote(config.wire));
    for (const line of joinLines(server, flags.listen, invocation)) terminal.note(line);
    void welcome(server, cluster);
    const stop = () => void cluster.close();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    await cluster.members.waitFor(nodes, nodesTimeout * 1000);
    signal.removeEventListener('abort', stop);
    signal.addEventListener('abort', () => cluster.members.stop(), { once: true });
    return { ...session, close, activities: () => cluster.activities() };
  } catch (error) {
    const there = cluster.members.remotes.size;
    await close();
    throw signal.aborted ? stoppedBefore(there, nodes, invocation) : error;
  }
}

/** How others come to the run, or why they cannot. */
export function joinLines({ joinWith, loopback }: ListeningServer, listen: string, invocation: Invocation): string[] {
  const status = `who computes, and how far it is: ${invocation.line(['status', ...joinWith])}`;
  if (loopback === undefined)
    return [
      `to join, on another machine, with the token file copied there: ${invocation.lineElsewhere(['worker', ...joinWith])}`,
      status,
    ];
  const { host, port } = parseAddress(listen);
  const why = host === loopback ? '' : `, since ${host} is ${loopback} here`;
  const address = formatAddress({ tls: true, host: ownAddress() ?? '0.0.0.0', port });
  return [
    `to join, on this machine alone${why}: ${invocation.line(['worker', ...joinWith])}`,
    `  for nodes on other machines, listen on an address that they reach: --listen ${address.replace('wss://', '')}`,
    status,
  ];
}

/** Nothing of the run is there yet, not even its directory: only the whole command begins it again. */
function stoppedBefore(there: number, nodes: number, { line, typed }: Invocation): PseudolabelError {
  const message = `stopped before the first step, when ${there} of ${nodes} nodes were there`;
  return new PseudolabelError('E_INTERRUPTED', message, `nothing was trained; start it again with: ${line(typed)}`);
}

const roundedNote = (wire: RunConfig['wire']): string =>
  `sums travel as ${wire}: the weights depend on which node computes what, and when nodes come and go`;

/** Until the server is closed. */
async function welcome(server: ListeningServer, cluster: ClusterExecutor): Promise<void> {
  for await (const channel of server.arrivals) void cluster.admit(channel);
}

/** What each node that is still there exchanged. */
function trafficLines({ nodes, steps }: ClusterStatus): string[] {
  const megabytes = (bytes: number) => `${(bytes / 1e6 / steps).toFixed(1)} MB`;
  if (steps === 0) return [];
  return nodes.map(({ name, bytesSent, bytesReceived }) => {
    return `${name} was sent ${megabytes(bytesSent)} and sent ${megabytes(bytesReceived)} a step, all included`;
  });
}

/** Throws E_USAGE. */
export function checkNodes(flags: ClusterFlags, shards: number): void {
  const { nodes = 0, nodesTimeout = 1, local = true } = flags;
  const usage = (message: string, fix: string) => new PseudolabelError('E_USAGE', message, fix);
  if (!Number.isInteger(nodes) || nodes < 0) throw usage(`--nodes ${nodes}`, 'give a number of nodes, from 0');
  if (!(nodesTimeout > 0)) throw usage(`--nodes-timeout ${nodesTimeout}`, 'give seconds, above 0');
  if ((flags.certificate === undefined) !== (flags.key === undefined))
    throw usage('a certificate goes with its key', 'give both --certificate and --key, or neither');
  const members = nodes + Number(local);
  if (shards < members) {
    const message = `${counted(shards, 'shard')} for ${members} members: not all would have something to do`;
    throw usage(message, `give --shards ${members} or more, one for each worker of all nodes`);
  }
}

const seconds = (milliseconds: number): string => `${Math.ceil(milliseconds / 1000)} s`;

/** idle: what is to be said where not all workers have something to do. */
function announcer(
  terminal: Terminal,
  idle: () => string | undefined,
  watcher?: Pick<ClusterListener, 'joined' | 'left'>,
): ClusterListener {
  return {
    joined: (node) => {
      terminal.note(`${node.name} joined with ${counted(node.workers, 'worker')}`);
      const line = idle();
      if (line !== undefined) terminal.note(`  ${line}`);
      watcher?.joined(node);
    },
    left: (node, reason) => {
      terminal.note(`${node.name} is gone (${reason.code}: ${reason.message}); its work is done by others`);
      watcher?.left(node, reason);
    },
    fellBehind: (_, { message }) => terminal.note(`${message}; its work is done by others until it does`),
    caughtUp: ({ name }) => terminal.note(`${name} answers again`),
    refused: (name, reason) => terminal.note(`${name} was not let in: ${reason.message}`),
    gathering: (there, wanted, left) =>
      terminal.note(`${there} of ${wanted} nodes are there; waiting ${seconds(left)} more for the others`),
    waiting: (left, isAgain) =>
      terminal.note(
        isAgain
          ? `still nobody to compute: the run ends in ${seconds(left)} unless a node joins`
          : 'no node is there to compute: waiting for one to join',
      ),
    slower: (slowdownWarning) => terminal.note(`  ${slowdownWarning}`),
  };
}
