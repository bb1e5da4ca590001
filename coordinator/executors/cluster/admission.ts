// Owns the first words to whoever has connected: a node is admitted or told why not, an observer is told how the run stands.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { Arena } from '../../../src/engine/arena.js';
import { PseudolabelError } from '../../../src/errors.js';
import { precisionOf } from '../../../src/models/model.js';
import type { First } from '../../../src/protocol/cluster-messages.js';
import type { ClusterStatus } from '../../../src/protocol/status.js';
import { withoutProducts } from '../failures.js';
import { type RemoteListener, RemoteNode } from './remote-node.js';
import { type Requests, unexpected } from './requests.js';
import { stallTimer } from './stall-timer.js';

export interface AdmissionRules {
  /** Of the coordinator's numerics. */
  readonly fingerprint: string;
  /** Nodes of other numerics are let in: the bits of the run then depend on who computes what. */
  readonly allowMixed: boolean;
}

type Hello = Extract<First, { kind: 'hello' }>;

const FIRST_MS = 10_000;

/** The first message of whoever has connected. Throws E_TIMEOUT, E_PROTOCOL, or what the connection broke on. */
export function firstOf(requests: Requests): Promise<First> {
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
      leaving: () => requests.close(unexpected('it left before it came')),
      bulk: () => requests.close(unexpected('it sent an array before it said hello')),
      answered: () => undefined,
      late: () => undefined,
    };
    requests.channel.listen(requests);
  });
}

/** Resolves to a node that is ready. Throws E_NUMERICS when it was refused, or what broke. */
export async function admit(
  requests: Requests,
  { name, workers, fingerprints }: Hello,
  arena: Arena,
  wire: GradientCodec,
  rules: AdmissionRules,
  listener: RemoteListener,
): Promise<RemoteNode> {
  const node = new RemoteNode(requests, arena, wire, workers, listener);
  const precision = precisionOf(arena.shape);
  const fingerprint = fingerprints[precision];
  if (fingerprint === undefined || (fingerprint !== rules.fingerprint && !rules.allowMixed)) {
    const error = fingerprint === undefined ? withoutProducts(name, precision) : otherNumerics(name);
    const { code, message, fix } = error;
    await requests.send({ kind: 'refused', code, message, fix }).catch(() => undefined);
    throw error;
  }
  // Lanes are the node's own.
  const { workspaces: _, tensorShardBytes = 0, outputGroupBytes = 0, ...rest } = arena.shape;
  const shape = { ...rest, tensorShardBytes, outputGroupBytes, precision };
  await requests.ask({ kind: 'welcome', request: requests.next(), shape, wire: wire.name }, 'join', 1);
  return node;
}

export async function inform(requests: Requests, status: ClusterStatus): Promise<void> {
  await requests.send({ kind: 'status', status });
  requests.close(new PseudolabelError('E_CLOSED', 'an observer has been answered', 'nothing is to be done'));
}

function otherNumerics(name: string): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits on ${name} than on the coordinator: another type of processor, or another build of TensorFlow`,
    'run the set-up of the same version on a machine of the same type, or start the run with --allow-mixed and do without exact repetition',
  );
}
