// Owns a contestant of several processes: a fleet of this one and of nodes that have joined it through a door on loopback, as those of
// `train --listen` do.
import { join } from 'node:path';
import { numericsFingerprint } from '../../src/engine/fingerprint.js';
import type { PseudolabelError } from '../../src/errors.js';
import { withTemporaryFolder } from '../../src/files.js';
import { TO_COORDINATOR, TO_NODE, type ToCoordinator, type ToNode } from '../../src/protocol/messages.js';
import type { LocalNode } from '../../worker/node.js';
import { ensureIdentity } from '../door/identity.js';
import { listen } from '../door/listener.js';
import { ensureToken } from '../door/secrets.js';
import { Fleet } from '../fleet/fleet.js';
import { printLine } from '../terminal/terminal.js';
import type { Company } from './bench.js';
import { type Account, Journal, WatchedChannel, watched } from './journal.js';
import type { NodeAnswer, NodeQuestion } from './messages.js';
import { nodeCommand, Program } from './program.js';

type NodeProgram = Program<NodeQuestion, NodeAnswer>;

/** Until all have joined; they start TensorFlow first. */
const JOIN_MS = 120_000;

export class Joined implements Company {
  private constructor(
    readonly node: Fleet,
    private readonly local: LocalNode,
    private readonly journal: Journal,
    private readonly programs: readonly NodeProgram[],
  ) {}

  /** nodes: to join, each with as many workers as the local node. Throws what listening and joining throw. */
  static open(local: LocalNode, nodes: number): Promise<Joined> {
    return withTemporaryFolder('nodes', (folder) => Joined.joinedBy(local, nodes, folder));
  }

  /** folder: for the token and the certificate, which are needed until all have joined. */
  private static async joinedBy(local: LocalNode, nodes: number, folder: string): Promise<Joined> {
    const journal = new Journal();
    const fleet = fleetOf(watched(local, journal));
    const tokenFile = join(folder, 'token');
    const door = await listen<ToNode, ToCoordinator>({
      token: await ensureToken(tokenFile),
      tls: await ensureIdentity(join(folder, 'coordinator.pem')),
      tables: { outgoing: TO_NODE, incoming: TO_COORDINATOR },
    });
    void (async () => {
      for await (const channel of door.arrivals) void fleet.admit(new WatchedChannel(channel, journal));
    })();
    const { signal } = new AbortController();
    const programs = Array.from({ length: nodes }, (_, node): NodeProgram => {
      const command = nodeCommand('coordinator/scaling/node-entry.js', String(local.workers));
      return new Program(command, `node ${node + 1}`, 1, signal);
    });
    const { address, fingerprint } = door;
    const question = { kind: 'join', address, tokenFile, fingerprint: fingerprint! } as const;
    await Promise.all(programs.map((program) => program.ask('joined', question)));
    await fleet.members.waitFor(nodes, JOIN_MS);
    door.close();
    return new Joined(fleet, local, journal, programs);
  }

  /** TLS not included. */
  get wireBytes(): number {
    return this.node.status().nodes.reduce((sum, { bytesSent, bytesReceived }) => sum + bytesSent + bytesReceived, 0);
  }

  async begin(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.ask('begun', { kind: 'begin' })));
    this.journal.clear();
  }

  /** All are on this machine: they have one clock. */
  async accounts(began: number, ended: number): Promise<Account[]> {
    await this.node.settled();
    const own = this.journal.account(this.local.workers, began, ended);
    const question = { kind: 'account', began, ended } as const;
    const others = await Promise.all(this.programs.map((program) => program.ask('accounted', question)));
    return [own, ...others.map(({ account }) => account)];
  }
}

function fleetOf(local: LocalNode): Fleet {
  const lost = (name: string, reason: PseudolabelError) => {
    printLine(process.stderr, `${name}: ${reason.message}`);
  };
  return new Fleet(local, {
    ...{ computes: true, checksumEvery: 100, patienceMs: JOIN_MS },
    ...{ fingerprint: numericsFingerprint(), allowMixed: false, wire: 'f32' },
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
