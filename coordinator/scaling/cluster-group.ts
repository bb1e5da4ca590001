// Measures a cluster: this process, and nodes that join it through a server on loopback, like those of `train
// --listen`.
import { join } from 'node:path';
import type { PseudolabelError } from '../../src/errors.js';
import { withTemporaryFolder } from '../../src/files/remove.js';
import { numericsFingerprint } from '../../src/models/fingerprint.js';
import { TO_COORDINATOR, TO_NODE, type ToCoordinator, type ToNode } from '../../src/protocol/cluster-messages.js';
import type { ThreadExecutor } from '../../worker/thread-executor.js';
import { CHECKSUM_EVERY } from '../compose.js';
import { ClusterExecutor } from '../executors/cluster/cluster-executor.js';
import { ensureCertificate, ensureToken } from '../server/secrets.js';
import { listen } from '../server/server.js';
import { printLine } from '../terminal/terminal.js';
import { type Account, ActivityRecord, TracedChannel, traced } from './activity-record.js';
import type { ProcessGroup } from './bench.js';
import { ChildProcess, entryCommand } from './child-process.js';
import type { NodeAnswer, NodeQuestion } from './messages.js';

type NodeProgram = ChildProcess<NodeQuestion, NodeAnswer>;

/** Milliseconds until all nodes have joined. They start TensorFlow first. */
const JOIN_MS = 120_000;

export class ClusterGroup implements ProcessGroup {
  private constructor(
    readonly executor: ClusterExecutor,
    private readonly local: ThreadExecutor,
    private readonly record: ActivityRecord,
    private readonly programs: readonly NodeProgram[],
  ) {}

  /**
   * Opens a cluster. nodes: the number of nodes that join, each with as many workers as the local node. Throws the
   * errors of listening and joining.
   */
  static open(local: ThreadExecutor, nodes: number): Promise<ClusterGroup> {
    return withTemporaryFolder('nodes', (folder) => ClusterGroup.joinedBy(local, nodes, folder));
  }

  /** Lets nodes join. folder: for the token and the certificate, which are needed until all nodes have joined. */
  private static async joinedBy(local: ThreadExecutor, nodes: number, folder: string): Promise<ClusterGroup> {
    const record = new ActivityRecord();
    const cluster = clusterOf(traced(local, record));
    const tokenFile = join(folder, 'token');
    const server = await listen<ToNode, ToCoordinator>({
      token: await ensureToken(tokenFile),
      tls: await ensureCertificate(join(folder, 'coordinator.pem')),
      tables: { outgoing: TO_NODE, incoming: TO_COORDINATOR },
    });
    void (async () => {
      for await (const channel of server.arrivals) void cluster.admit(new TracedChannel(channel, record));
    })();
    const { signal } = new AbortController();
    const programs = Array.from({ length: nodes }, (_, node): NodeProgram => {
      const command = entryCommand('node', String(local.workers));
      return new ChildProcess(command, `node ${node + 1}`, 1, signal);
    });
    const { address, fingerprint } = server;
    const question = { kind: 'join', address, tokenFile, fingerprint: fingerprint! } as const;
    await Promise.all(programs.map((program) => program.ask('joined', question)));
    await cluster.machines.waitFor(nodes, JOIN_MS);
    server.close();
    return new ClusterGroup(cluster, local, record, programs);
  }

  /** The bytes between the processes, with those of TLS. */
  get wireBytes(): number {
    return this.executor
      .status()
      .nodes.reduce((sum, { bytesSent, bytesReceived }) => sum + bytesSent + bytesReceived, 0);
  }

  async begin(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.ask('begun', { kind: 'begin' })));
    this.record.clear();
  }

  /** Returns the accounts of all processes. They are on this machine, so they have one clock. */
  async accounts(began: number, ended: number): Promise<Account[]> {
    await this.executor.settled();
    const own = this.record.account(this.local.workers, began, ended);
    const question = { kind: 'account', began, ended } as const;
    const others = await Promise.all(this.programs.map((program) => program.ask('accounted', question)));
    return [own, ...others.map(({ account }) => account)];
  }
}

function clusterOf(local: ThreadExecutor): ClusterExecutor {
  const lost = (name: string, reason: PseudolabelError) => {
    printLine(process.stderr, `${name}: ${reason.message}`);
  };
  return new ClusterExecutor(local, {
    computes: true,
    checksumEvery: CHECKSUM_EVERY,
    patienceMs: JOIN_MS,
    fingerprint: numericsFingerprint(),
    numerics: 'f32',
    allowMixed: false,
    wire: 'f32',
    listener: {
      joined: () => undefined,
      left: ({ name }, reason) => lost(name, reason),
      refused: lost,
      fellBehind: () => undefined,
      caughtUp: () => undefined,
      gathering: () => undefined,
      waiting: () => undefined,
      slower: () => undefined,
    },
  });
}
