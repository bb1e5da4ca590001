// Defines the flags of a run on several machines, and prints what happens to its nodes.
import type { Command } from 'commander';
import type { PseudolabelError } from '../../src/errors.js';
import { counted } from '../../src/format.js';
import type { ClusterStatus } from '../../src/protocol/status.js';
import type { RunConfig } from '../../src/training/config.js';
import { formatAddress, parseAddress } from '../../worker/address.js';
import type { ClusterListener } from '../executors/cluster/status.js';
import { hasWished } from '../executors/failures.js';
import { type ClusterPlace, checkShards } from '../place.js';
import type { ResolvedRun } from '../runs/resolved-run.js';
import { ownAddress } from '../server/server.js';
import type { ListeningServer, Transport } from '../server/transport.js';
import { idleLine } from '../terminal/summary.js';
import type { Terminal } from '../terminal/terminal.js';
import type { Invocation } from './invocation.js';
import { type Context, number, usage } from './options.js';

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

/** Returns the place of a run that nodes can join. It prints what happens to them. Throws E_USAGE. */
export function clusterPlace(
  run: ResolvedRun,
  flags: ClusterFlags & { readonly listen: string },
  { terminal, signal, invocation }: Context,
  transport: Transport,
  watcher?: Pick<ClusterListener, 'joined' | 'left'>,
): ClusterPlace {
  const { listen, nodes = 0, local = true, nodesTimeout = NODES_TIMEOUT_S, certificate, key } = flags;
  const { wire, shards } = run.config;
  checkNodes(flags, shards);
  const { insecure = false } = flags;
  const own = certificate && key ? { file: certificate, key } : undefined;
  return {
    kind: 'cluster',
    signal,
    nodes,
    computes: local,
    patienceMs: nodesTimeout * 1000,
    open: () => transport.listen({ address: listen, tokenFile: flags.tokenFile, insecure, certificate: own }),
    allowMixed: flags.allowMixed ?? false,
    startAgain: invocation.line(invocation.typed),
    listener: (workers) => announcer(terminal, () => idleLine(run, workers()), watcher),
    listening: (server) => {
      if (wire !== 'f32') terminal.note(roundedNote(wire));
      for (const line of joinLines(server, listen, invocation)) terminal.note(line);
    },
    closing: (status) => {
      for (const line of trafficLines(status)) terminal.note(line);
    },
  };
}

/** Returns lines that say how nodes join the run, or why they cannot. */
function joinLines({ joinWith, loopback }: ListeningServer, listen: string, invocation: Invocation): string[] {
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

const roundedNote = (wire: RunConfig['wire']): string =>
  `sums travel as ${wire}: the weights depend on which node computes what, and when nodes come and go`;

/** Returns a line about the traffic of each node that is still there. */
function trafficLines({ nodes, steps }: ClusterStatus): string[] {
  const megabytes = (bytes: number) => `${(bytes / 1e6 / steps).toFixed(1)} MB`;
  if (steps === 0) return [];
  return nodes.map(({ name, bytesSent, bytesReceived }) => {
    return `${name} was sent ${megabytes(bytesSent)} and sent ${megabytes(bytesReceived)} a step, all included`;
  });
}

/** Throws E_USAGE for flags of nodes that are invalid or leave some without a shard. */
export function checkNodes(flags: ClusterFlags, shards: number): void {
  const { nodes = 0, nodesTimeout = 1, local = true, certificate, key } = flags;
  if (!Number.isInteger(nodes) || nodes < 0) throw usage(`--nodes ${nodes}`, 'give a number of nodes, from 0');
  if (!(nodesTimeout > 0)) throw usage(`--nodes-timeout ${nodesTimeout}`, 'give seconds, above 0');
  if ((certificate === undefined) !== (key === undefined))
    throw usage('a certificate goes with its key', 'give both --certificate and --key, or neither');
  checkShards(shards, nodes + Number(local), 'nodes');
}

const seconds = (milliseconds: number): string => `${Math.ceil(milliseconds / 1000)} s`;

const leavingText = (reason: PseudolabelError): string =>
  hasWished(reason) ? 'has left' : `is gone (${reason.code}: ${reason.message})`;

/** Returns a listener that prints. idle: returns a line to print if some workers have nothing to do. */
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
      terminal.note(`${node.name} ${leavingText(reason)}; its work is done by others`);
      watcher?.left(node, reason);
    },
    fellBehind: (_, { message }) => terminal.note(`${message}; its work is done by others until it does`),
    caughtUp: ({ name }) => terminal.note(`${name} answers again`),
    refused: (name, reason) => terminal.note(`${name} was not let in: ${reason.message}`),
    gathering: (there, wanted, left) =>
      terminal.waits(
        `${there} of ${wanted} nodes are there; waiting ${seconds(left)} more${there > 0 ? ' for the others' : ''}`,
      ),
    waiting: (left, isAgain) =>
      isAgain
        ? terminal.waits(`still nobody to compute: the run ends in ${seconds(left)} unless a node joins`)
        : terminal.note('no node is there to compute: waiting for one to join'),
    slower: (slowdownWarning) => terminal.note(`  ${slowdownWarning}`),
  };
}
