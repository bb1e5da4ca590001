// The handshake: each side proves to the other that it knows the token, which is never sent. Both proofs cover two
// fresh numbers and the TLS session, so that they are useless in any other connection.
//
//   worker                                           coordinator
//     | open      version, nonce, guarded                 |
//     |-------------------------------------------------->|
//     |                      challenge   nonce, proof     |
//     |<--------------------------------------------------|
//     | answer    proof                                   |
//     |-------------------------------------------------->|
//     |                  welcome  heartbeat, guarded      |
//     |<--------------------------------------------------|
//
//   proof = HMAC-SHA256(token, "pseudolabel <version> <role>\0" | worker's nonce | coordinator's nonce | binding)
import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { PseudolabelError } from '../errors.js';
import { decodeFrame, encodeMessage, type MessageTable, PROTOCOL_VERSION } from './codec.js';
import type { FrameTransport } from './frame-transport.js';

const NONCE_BYTES = 32;
const PROOF_BYTES = 32;

export interface Credentials {
  readonly token: KeyObject;
  /** A value that only the two ends of one TLS session know (RFC 9266); empty without TLS. */
  readonly binding: Uint8Array;
}

const bytes = (length: number) =>
  z.custom<Uint8Array>((value) => value instanceof Uint8Array && value.length === length, `not ${length} bytes`);

/** The other fields of an `open` are checked after its version, because another version may have others. */
const NONCE = bytes(NONCE_BYTES);
const OPEN = z.object({
  kind: z.literal('open'),
  version: z.int(),
  nonce: z.unknown(),
  guarded: z.unknown().optional(),
});
const CHALLENGE = z.object({ kind: z.literal('challenge'), nonce: NONCE, proof: bytes(PROOF_BYTES) });
const ANSWER = z.object({ kind: z.literal('answer'), proof: bytes(PROOF_BYTES) });
/** Milliseconds. The limit matters because timers fire at once if an interval is too long for them. */
const HEARTBEAT = z.number().min(1).max(3_600_000);
const WELCOME = z.object({ kind: z.literal('welcome'), heartbeat: HEARTBEAT, guarded: z.boolean() });

/** The terms of the rest of the connection. */
export interface Terms {
  /** The interval of heartbeats in milliseconds, for both sides. */
  readonly heartbeat: number;
  /** Whether both sides see that nothing can change a byte unnoticed, so that payloads need no checksum. */
  readonly isGuarded: boolean;
}

type FromWorker = z.infer<typeof OPEN> | z.infer<typeof ANSWER>;
type FromCoordinator = z.infer<typeof CHALLENGE> | z.infer<typeof WELCOME>;

export const FROM_WORKER: MessageTable<FromWorker> = {
  open: { schema: OPEN, limit: 256 },
  answer: { schema: ANSWER, limit: 256 },
};
export const FROM_COORDINATOR: MessageTable<FromCoordinator> = {
  challenge: { schema: CHALLENGE, limit: 256 },
  welcome: { schema: WELCOME, limit: 256 },
};

/**
 * Does the worker's side. Returns the terms that the coordinator sets.
 * Throws E_TOKEN if the coordinator does not know the token, or if something intercepts the connection; E_VERSION,
 * E_PROTOCOL, E_TOO_LARGE, or the reason why the transport was closed.
 */
export async function introduce(transport: FrameTransport, { token, binding }: Credentials): Promise<Terms> {
  const workerNonce = randomBytes(NONCE_BYTES);
  const opening = {
    kind: 'open',
    version: PROTOCOL_VERSION,
    nonce: workerNonce,
    guarded: transport.isGuarded,
  } as const;
  await transport.send(encodeMessage(FROM_WORKER, opening));
  const challenge = await receive(transport, FROM_COORDINATOR, 'challenge');
  const session = [workerNonce, challenge.nonce, binding];
  checkProof(challenge.proof, prove(token, 'coordinator', session), transport.peer);
  await transport.send(encodeMessage(FROM_WORKER, { kind: 'answer', proof: prove(token, 'worker', session) }));
  const { heartbeat, guarded } = await receive(transport, FROM_COORDINATOR, 'welcome');
  return { heartbeat, isGuarded: guarded };
}

/**
 * Does the coordinator's side, up to the welcome. Resolves when the worker has proven that it knows the token. Returns
 * whether both sides see that nothing can change a byte unnoticed. Throws as introduce() does.
 */
export async function admit(transport: FrameTransport, { token, binding }: Credentials): Promise<boolean> {
  const open = await receive(transport, FROM_WORKER, 'open');
  if (open.version !== PROTOCOL_VERSION) throw otherVersion(open.version);
  const { data: workerNonce } = NONCE.safeParse(open.nonce);
  if (!workerNonce) throw unexpected('no nonce');
  const nonce = randomBytes(NONCE_BYTES);
  const session = [workerNonce, nonce, binding];
  const proof = prove(token, 'coordinator', session);
  await transport.send(encodeMessage(FROM_COORDINATOR, { kind: 'challenge', nonce, proof }));
  const answer = await receive(transport, FROM_WORKER, 'answer');
  checkProof(answer.proof, prove(token, 'worker', session), transport.peer);
  return transport.isGuarded && open.guarded === true;
}

/** Ends the handshake from the coordinator's side. All frames after it are the channel's. */
export function welcome(transport: FrameTransport, { heartbeat, isGuarded }: Terms): Promise<void> {
  return transport.send(encodeMessage(FROM_COORDINATOR, { kind: 'welcome', heartbeat, guarded: isGuarded }));
}

/** Computes a proof. It includes the role, so that the other side cannot send it back as its own. */
function prove(token: KeyObject, role: 'worker' | 'coordinator', session: readonly Uint8Array[]): Buffer {
  const hmac = createHmac('sha256', token).update(`pseudolabel ${PROTOCOL_VERSION} ${role}\0`);
  for (const part of session) hmac.update(part);
  return hmac.digest();
}

function checkProof(given: Uint8Array, expected: Buffer, peer: string): void {
  if (timingSafeEqual(given, expected)) return;
  const message = `${peer} has not proven that it knows the token, or something stands between it and this machine`;
  throw new PseudolabelError(
    'E_TOKEN',
    message,
    'give both sides the same token file, and nothing between them that ends TLS',
  );
}

async function receive<M extends FromWorker | FromCoordinator, K extends M['kind']>(
  transport: FrameTransport,
  table: MessageTable<M>,
  kind: K,
): Promise<Extract<M, { kind: K }>> {
  const received = decodeFrame(table, await transport.next());
  if ('message' in received && received.message.kind === kind) return received.message as Extract<M, { kind: K }>;
  throw unexpected(`another message than '${kind}'`);
}

function otherVersion(version: number): PseudolabelError {
  const message = `the coordinator speaks version ${PROTOCOL_VERSION} of the protocol, the worker version ${version}`;
  return new PseudolabelError('E_VERSION', message, 'run the same version on both machines');
}

function unexpected(what: string): PseudolabelError {
  return new PseudolabelError(
    'E_PROTOCOL',
    `received ${what} in the handshake`,
    'run the same version on both machines',
  );
}
