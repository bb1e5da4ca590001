// Owns how messages and bulk frames are written as bytes, and what is checked before bytes become either. A frame is a head and a body:
//
//   0 type: 1 message, 2 bulk | 1 length of the kind's name (bulk: 0) | 2 bulk kind, u16 (message: 0) | 4 CRC-32, u32
//   message: 8 kind's name, ASCII                                          body: the message, plain msgpack (plain.ts)
//   bulk:    8 step, u32 | 12 index, u32 | 16 attempt, u32 | 20 offset, u32     body: the payload
//
// All numbers are little-endian. The checksum is of all other bytes, since TCP's own lets a flipped bit through now and then, and a run's bits
// must not depend on it. It leaves payloads out where the handshake has found that nothing on their way can change them unnoticed.
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import type { z } from 'zod';
import { PseudolabelError } from '../errors.js';
import { type BulkTag, MAX_BULK, type Message } from './channel.js';
import { checkPlain } from './msgpack-types.js';
import { printable } from './printable.js';

/** Of frames, handshake and messages together: two sides speak the same number or not at all. */
export const PROTOCOL_VERSION = 1;

/** What may be received of a kind: the schema of the whole message, its kind included, and the most bytes of its body. */
export interface MessageKind<M extends Message> {
  readonly schema: z.ZodType<M>;
  readonly limit: number;
  /** The most values in it, where that is not MOST_VALUES: numbers, texts, lists, maps, and the names of their fields. */
  readonly values?: number;
}

export type MessageTable<M extends Message> = { readonly [K in M['kind']]: MessageKind<Extract<M, { kind: K }>> };

/** The messages of one side of a channel, and those of the other. */
export interface MessageTables<Out extends Message, In extends Message> {
  readonly outgoing: MessageTable<Out>;
  readonly incoming: MessageTable<In>;
  /** What the other side has to begin with; undefined: anything. */
  readonly first?: readonly In['kind'][];
}

/** More than any message has but for those that say something of many shards. */
export const MOST_VALUES = 2 ** 12;

/** Head and body, as sent; when received, whatever pieces it came in. */
export type Frame = readonly Uint8Array[];

export type Received<M extends Message> =
  | { readonly message: M }
  | { readonly tag: BulkTag; readonly payload: Uint8Array };

const MESSAGE = 1;
const BULK = 2;
const START_BYTES = 8;
const BULK_HEAD_BYTES = 24;
const MOST_KIND_BYTES = 255;
const NOTHING = new Uint8Array();

/** Bytes of the longest frame that may be received by such a table. */
export function longestFrame(table: Readonly<Record<string, { readonly limit: number }>>): number {
  const limits = Object.values(table).map(({ limit }) => limit);
  return START_BYTES + MOST_KIND_BYTES + Math.max(MAX_BULK, ...limits);
}

/** Bytes within a message are copied: a view would keep all that arrived with it alive, and could not be passed to a thread. */
const PLAIN = {
  useRecords: false,
  moreTypes: false,
  structuredClone: false,
  skipValues: [undefined],
  copyBuffers: true,
};
const packr = new Packr(PLAIN);
const unpackr = new Unpackr(PLAIN);

/** Throws E_TOO_LARGE, and E_PROTOCOL where the other side would. */
export function encodeMessage<M extends Message>(table: MessageTable<M>, message: M): Frame {
  const kind = message.kind as M['kind'];
  const body = packr.pack(message);
  checkSize(kind, body.length, table[kind].limit);
  checkPlain(body, table[kind].values ?? MOST_VALUES);
  const head = Buffer.alloc(START_BYTES + kind.length);
  head.writeUInt8(MESSAGE, 0);
  head.writeUInt8(kind.length, 1);
  head.write(kind, START_BYTES, 'latin1');
  head.writeUInt32LE(checksum(head, body), 4);
  return [head, body];
}

/** The payload is not copied. isGuarded: it needs no checksum. Throws E_TOO_LARGE; RangeError for a tag that is no tag. */
export function encodeBulk(tag: BulkTag, payload: Uint8Array, isGuarded = false): Frame {
  checkSize('bulk', payload.length, MAX_BULK);
  const head = Buffer.alloc(BULK_HEAD_BYTES);
  head.writeUInt8(BULK, 0);
  head.writeUInt16LE(tag.kind, 2);
  head.writeUInt32LE(tag.step, 8);
  head.writeUInt32LE(tag.index, 12);
  head.writeUInt32LE(tag.attempt, 16);
  head.writeUInt32LE(tag.offset, 20);
  head.writeUInt32LE(checksum(head, isGuarded ? NOTHING : payload), 4);
  return [head, payload];
}

/** Throws E_PROTOCOL or E_TOO_LARGE for what is no frame, is altered, or is not as the table says. */
export function decodeFrame<M extends Message>(table: MessageTable<M>, frame: Frame, isGuarded = false): Received<M> {
  const { head, body } = split(frame);
  if (head[0] === BULK) {
    checkSize('bulk', body.length, MAX_BULK);
    checkSeal(head, isGuarded ? NOTHING : body);
    return { tag: tagOf(head), payload: aligned(body) };
  }
  const kind = head.toString('latin1', START_BYTES);
  if (!isKindOf(table, kind)) throw refused(`a message of the unknown kind '${printable(kind)}'`);
  checkSize(kind, body.length, table[kind].limit);
  checkSeal(head, body);
  return { message: parsed(table, kind, body) };
}

function parsed<M extends Message>(table: MessageTable<M>, kind: M['kind'], body: Uint8Array): M {
  const { schema, values = MOST_VALUES } = table[kind];
  checkPlain(body, values);
  let value: unknown;
  try {
    value = unpackr.unpack(plainView(body));
  } catch (error) {
    throw refused(`a message '${kind}' that cannot be decoded`, error); // such as a map with an array for a key
  }
  const { data, error } = schema.safeParse(value);
  if (error) throw refused(`a message '${kind}' that is not one: ${issueOf(error)}`);
  return data;
}

function isKindOf<M extends Message>(table: MessageTable<M>, kind: string): kind is M['kind'] {
  return Object.hasOwn(table, kind);
}

function issueOf({ issues }: z.ZodError): string {
  const [issue] = issues;
  return printable(`${issue?.path.join('.')}: ${issue?.message}`);
}

function tagOf(head: Buffer): BulkTag {
  return {
    kind: head.readUInt16LE(2),
    step: head.readUInt32LE(8),
    index: head.readUInt32LE(12),
    attempt: head.readUInt32LE(16),
    offset: head.readUInt32LE(20),
  };
}

/** A frame that comes in the two pieces in which it was sent costs no copy; something on the way may have cut it elsewhere. */
function split(frame: Frame): { head: Buffer; body: Uint8Array } {
  const [first, second] = frame;
  if (frame.length === 2 && first!.length === headBytes(first!)) return { head: bufferOf(first!), body: second! };
  const whole = Buffer.concat(frame);
  const length = headBytes(whole);
  if (length === undefined || length > whole.length) throw refused('a frame that ends within its head');
  return { head: whole.subarray(0, length), body: whole.subarray(length) };
}

function headBytes(start: Uint8Array): number | undefined {
  if (start.length < START_BYTES) return undefined;
  if (start[0] === MESSAGE) return START_BYTES + start[1]!;
  if (start[0] === BULK) return BULK_HEAD_BYTES;
  throw refused(`a frame of the unknown type ${start[0]}`);
}

function checkSeal(head: Buffer, body: Uint8Array): void {
  if (head.readUInt32LE(4) !== checksum(head, body)) throw refused('a frame that was altered on its way');
}

function checksum(head: Buffer, body: Uint8Array): number {
  return crc32(body, crc32(head.subarray(START_BYTES), crc32(head.subarray(0, 4))));
}

/** Long payloads come aligned, in memory of their own; a short one can lie anywhere in what the socket read. */
function aligned(payload: Uint8Array): Uint8Array {
  return payload.byteOffset % 8 === 0 ? plainView(payload) : new Uint8Array(payload);
}

/** No Buffer leaves this file: its slice() is a view where a Uint8Array's is a copy. */
function plainView({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function checkSize(kind: string, bytes: number, limit: number): void {
  if (bytes <= limit) return;
  const message = `a message '${kind}' of ${bytes} bytes, where at most ${limit} are allowed`;
  throw new PseudolabelError('E_TOO_LARGE', message, 'run the same version on both machines');
}

function refused(what: string, cause?: unknown): PseudolabelError {
  const fix =
    'run the same version on both machines; if it is the same, something between them alters what passes: use TLS';
  return new PseudolabelError('E_PROTOCOL', `received ${what}`, fix, { cause });
}
