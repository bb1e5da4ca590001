// Owns the first words between a coordinator and whoever connects: a node is admitted or told why not, a questioner is answered.
import type { Arena } from '../src/engine/arena.js';
import { PseudolabelError } from '../src/errors.js';
import { type FleetStatus, PROTOCOL_VERSION, type ToCoordinator } from '../src/protocol/messages.js';
import { alarm } from './alarm.js';
import { type RemoteListener, RemoteNode } from './remote-node.js';
import { type Requests, unexpected } from './requests.js';

/** For hello, and for making an arena with its threads. */
const JOIN_MS = 60_000;

export interface AdmissionRules {
  /** Of the coordinator's numerics. */
  readonly fingerprint: string;
  /** Nodes of other numerics are let in: the bits of the run then depend on who computes what. */
  readonly allowMixed: boolean;
}

type First = Extract<ToCoordinator, { kind: 'hello' | 'ask' }>;

/** Resolves to a node that is ready; to undefined for one who only asked. Throws why it was refused, or what broke. */
export async function admit(
  requests: Requests,
  arena: Arena,
  rules: AdmissionRules,
  listener: RemoteListener,
  name: (wanted: string) => string,
  status: () => FleetStatus,
): Promise<RemoteNode | undefined> {
  const first = await firstMessage(requests);
  try {
    if (first.version !== PROTOCOL_VERSION) throw otherVersion(first.version);
    if (first.kind === 'ask') {
      await requests.send({ kind: 'status', status: status() });
      requests.close(new PseudolabelError('E_CLOSED', 'it only asked', 'nothing is to be done'));
      return undefined;
    }
    if (first.fingerprint !== rules.fingerprint && !rules.allowMixed) throw otherNumerics(first.name);
  } catch (error) {
    if (!(error instanceof PseudolabelError)) throw error;
    const { code, message, fix } = error;
    await requests.send({ kind: 'refused', code, message, fix }).catch(() => undefined);
    requests.close(error);
    throw error;
  }
  requests.name = name(first.name);
  const { lanes: _, ...shape } = arena.shape;
  const node = new RemoteNode(requests, arena, first.workers, listener);
  await requests.ask({ kind: 'welcome', request: requests.next(), shape }, 'join', 1);
  return node;
}

function firstMessage(requests: Requests): Promise<First> {
  return new Promise((resolve, reject) => {
    const none = () => new PseudolabelError('E_TIMEOUT', `${requests.name} said nothing`, 'is it a pseudolabel node?');
    const cancel = alarm(JOIN_MS, () => requests.close(none()));
    requests.listener = {
      hello: (message) => {
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
    };
    requests.channel.listen(requests);
  });
}

function otherVersion(version: number): PseudolabelError {
  const message = `it speaks version ${version} of the protocol, the coordinator ${PROTOCOL_VERSION}`;
  return new PseudolabelError('E_PROTOCOL', message, 'run the same version of pseudolabel on all machines');
}

function otherNumerics(name: string): PseudolabelError {
  return new PseudolabelError(
    'E_NUMERICS',
    `a training step has other bits on ${name} than on the coordinator: another type of processor, or another build of TensorFlow`,
    'run the set-up of the same version on a machine of the same type, or start the run with --allow-mixed and do without exact repetition',
  );
}
