// Admits connections to the cluster as nodes or refuses them, and answers observers who ask for the status of the run.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Arena } from '../../../src/engine/arena.js';
import { sentShape } from '../../../src/engine/arena.js';
import { PseudolabelError } from '../../../src/errors.js';
import type { First } from '../../../src/protocol/cluster-messages.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import { reasonOf, unexpectedError } from '../failures.js';
import { type NumericsRules, refusalOf } from '../numerics.js';
import { Deadlines, stallTimer } from './deadlines.js';
import type { Machines, MachinesOptions } from './machines.js';
import { RemoteNode } from './remote-node.js';
import { type NodeChannel, Requests } from './requests.js';

export type AdmissionOptions = MachinesOptions & NumericsRules;

type Hello = Extract<First, { kind: 'hello' }>;

/** Milliseconds to wait for the first message. */
const FIRST_MS = 10_000;

export class Admission {
  private readonly joining = new Set<Requests>();

  /** arena: the coordinator's arena. */
  constructor(
    private readonly machines: Machines,
    private readonly arena: Arena,
    private readonly codec: GradientCodec,
    private readonly options: AdmissionOptions,
  ) {}

  /**
   * Admits the node at the other end of the channel, or refuses it. The node joins between two phases of the run. Never
   * rejects.
   */
  async admit(channel: NodeChannel, status: () => ClusterStatus): Promise<void> {
    const { machines, options } = this;
    const requests = new Requests(channel, new Deadlines(options.bounds, options.clock));
    this.joining.add(requests);
    try {
      const first = await firstOf(requests);
      if (machines.end) throw machines.end;
      if (first.kind === 'ask') return await inform(requests, status());
      requests.name = this.unique(first.name);
      const node = await this.welcome(requests, first);
      await node.arenaSync.bringImages('unlabelled', [machines.firstImages(node)]); // The other machines go on meanwhile.
      if (!requests.isClosed) machines.join(node);
    } catch (error) {
      const reason = reasonOf(error);
      requests.close(reason);
      if (!machines.end) options.listener.refused(requests.name, reason);
    } finally {
      this.joining.delete(requests);
    }
  }

  close(reason: PseudolabelError): void {
    for (const requests of this.joining) requests.close(reason);
  }

  /**
   * Resolves to a node that is ready. Throws E_NUMERICS if the node is refused, or the error that ended the connection.
   */
  private async welcome(requests: Requests, hello: Hello): Promise<RemoteNode> {
    const { arena, codec } = this;
    const node = new RemoteNode(requests, arena, codec, hello.workers, this.machines);
    const question = {
      kind: 'welcome',
      shape: sentShape(arena.shape),
      wire: codec.name,
      numerics: this.options.numerics,
    } as const;
    const { fingerprint } = await requests.ask(question, 'join', 1);
    const refusal = refusalOf([{ name: hello.name, fingerprint }], this.options, 'the coordinator');
    if (refusal) {
      const { code, message, fix } = refusal;
      await requests.send({ kind: 'refused', code, message, fix }).catch(() => undefined);
      throw refusal;
    }
    return node;
  }

  /** Returns a name that no other node has. */
  private unique(wanted: string): string {
    const taken = new Set([...this.machines.remotes, ...this.joining].map(({ name }) => name));
    let name = wanted;
    for (let other = 2; taken.has(name); other++) name = `${wanted}-${other}`;
    return name;
  }
}

/**
 * Resolves to the first message of a connection. Throws E_TIMEOUT, E_PROTOCOL, or the error that ended the connection.
 */
function firstOf(requests: Requests): Promise<First> {
  return new Promise((resolve, reject) => {
    const silent = () =>
      new PseudolabelError('E_TIMEOUT', `${requests.name} said nothing`, 'is it a node of pseudolabel?');
    const cancel = stallTimer(requests.deadlines.clock, FIRST_MS, () => requests.close(silent()));
    requests.listener = {
      first: (message) => {
        cancel();
        resolve(message);
      },
      closed: (reason) => {
        cancel();
        reject(reason);
      },
      leaving: () => requests.close(unexpectedError('it left before it came')),
      bulk: () => requests.close(unexpectedError('it sent an array before it said hello')),
      answered: () => undefined,
      late: () => undefined,
    };
    requests.channel.listen(requests);
  });
}

async function inform(requests: Requests, status: ClusterStatus): Promise<void> {
  await requests.send({ kind: 'status', status });
  requests.close(new PseudolabelError('E_CLOSED', 'an observer has been answered', 'nothing is to be done'));
}
