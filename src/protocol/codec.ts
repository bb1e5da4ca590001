// Writes messages and bulk frames as bytes, and checks bytes before they become either. A frame is a head and a body:
//
//   0 type: 1 message, 2 bulk | 1 length of the kind's name (bulk: 0) | 2 bulk kind, u16 (message: 0) | 4 CRC-32, u32
//   message: 8 kind's name, ASCII                                               body: the message, plain msgpack
//   bulk:    8 step, u32 | 12 index, u32 | 16 attempt, u32 | 20 offset, u32     body: the payload
//
// All numbers are little-endian. The checksum covers all other bytes, because TCP's own checksum sometimes misses a
// flipped bit, and the bits of a run must not depend on that. It leaves out payloads if the handshake has found that
// nothing can change them unnoticed.
import { crc32 } from 'node:zlib';
import { Packr, Unpackr } from 'msgpackr';
import type { z } from 'zod';
import { PseudolabelError } from '../errors.js';
import { printable } from '../format.js';
import type { BulkTag, Message } from './channel.js';
import { MAX_BULK, MOST_DEPTH, MOST_KIND_BYTES, MOST_VALUES } from './limits.js';

/** The version of frames, handshake and messages together. Both sides must have the same version. */
export const PROTOCOL_VERSION = 5;

/** What may be received as one kind of message. */
export interface MessageKind<M extends Message> {
  /** The schema of the whole message, its kind included. */
  readonly schema: z.ZodType<M>;
  /** The most bytes of its body. */
  readonly limit: number;
  /** The most values in it: numbers, texts, lists, maps and names of fields. Defaults to MOST_VALUES. */
  readonly values?: number;
}

export type MessageTable<M extends Message> = { readonly [K in M['kind']]: MessageKind<Extract<M, { kind: K }>> };

/** The messages that one side of a channel sends, and those that it receives. */
export interface MessageTables<Out extends Message, In extends Message> {
  readonly outgoing: MessageTable<Out>;
  readonly incoming: MessageTable<In>;
  /** The kinds that the other side may begin with. undefined: any. */
  readonly first?: readonly In['kind'][];
}

/** A frame. When sent: its head and body. When received: the pieces in which it came. */
export type Frame = readonly Uint8Array[];

export type Received<M extends Message> =
  | { readonly message: M }
  | { readonly tag: BulkTag; readonly payload: Uint8Array };

const MESSAGE = 1;
const BULK = 2;
const START_BYTES = 8;
const BULK_HEAD_BYTES = 24;

const NOTHING = new Uint8Array();

/** Returns the bytes of the longest frame that such a table accepts. */
export function longestFrame(table: Readonly<Record<string, { readonly limit: number }>>): number {
  const limits = Object.values(table).map(({ limit }) => limit);
  return START_BYTES + MOST_KIND_BYTES + Math.max(MAX_BULK, ...limits);
}

/**
 * Options of msgpackr. Bytes within a message are copied, because a view would keep everything that arrived with it in
 * memory, and could not be sent to a thread.
 */
const PLAIN = {
  useRecords: false,
  moreTypes: false,
  structuredClone: false,
  skipValues: [undefined],
  copyBuffers: true,
};
const packr = new Packr(PLAIN);
const unpackr = new Unpackr(PLAIN);

/** Encodes a message. Throws E_TOO_LARGE, and E_PROTOCOL if the other side would. */
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

/**
 * Encodes a bulk frame. The payload is not copied. isGuarded: it needs no checksum. Throws E_TOO_LARGE, and RangeError
 * for a number out of range.
 */
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

/** Decodes a frame. Throws E_PROTOCOL or E_TOO_LARGE if it is no frame, was altered, or is not in the table. */
export function decodeFrame<M extends Message>(table: MessageTable<M>, frame: Frame, isGuarded = false): Received<M> {
  const { head, body } = split(frame);
  if (head[0] === BULK) {
    checkSize('bulk', body.length, MAX_BULK);
    checkIntegrity(head, isGuarded ? NOTHING : body);
    return { tag: tagOf(head), payload: aligned(body) };
  }
  const kind = head.toString('latin1', START_BYTES);
  if (!isKindOf(table, kind)) throw refused(`a message of the unknown kind '${printable(kind)}'`);
  checkSize(kind, body.length, table[kind].limit);
  checkIntegrity(head, body);
  return { message: parsed(table, kind, body) };
}

function parsed<M extends Message>(table: MessageTable<M>, kind: M['kind'], body: Uint8Array): M {
  const { schema, values = MOST_VALUES } = table[kind];
  checkPlain(body, values);
  let value: unknown;
  try {
    value = unpackr.unpack(plainView(body));
  } catch (error) {
    throw refused(`a message '${kind}' that cannot be decoded`, error); // such as a map with an array as a key
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

/**
 * Splits a frame into head and body. A frame that arrives in these two parts needs no copy, but something on the way
 * may have cut it elsewhere.
 */
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

function checkIntegrity(head: Buffer, body: Uint8Array): void {
  if (head.readUInt32LE(4) !== checksum(head, body)) throw refused('a frame that was altered on its way');
}

function checksum(head: Buffer, body: Uint8Array): number {
  return crc32(body, crc32(head.subarray(START_BYTES), crc32(head.subarray(0, 4))));
}

/**
 * Returns the payload aligned to 8 bytes. Long payloads arrive aligned, in memory of their own. A short one may begin
 * anywhere in what the socket read.
 */
function aligned(payload: Uint8Array): Uint8Array {
  return payload.byteOffset % 8 === 0 ? plainView(payload) : new Uint8Array(payload);
}

/**
 * Returns a plain view of the bytes. No Buffer leaves this file, because its slice() is a view, and that of a
 * Uint8Array is a copy.
 */
function plainView({ buffer, byteOffset, byteLength }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The bytes behind each token of a fixed length: nil, false, true and numbers. */
const FIXED_BYTES: Readonly<Record<number, number>> = {
  192: 0,
  194: 0,
  195: 0,
  204: 1,
  208: 1,
  205: 2,
  209: 2,
  202: 4,
  206: 4,
  210: 4,
  203: 8,
  207: 8,
  211: 8,
};
/** The bytes of the length that follows each token of bytes and text. */
const LENGTH_BYTES: Readonly<Record<number, number>> = { 196: 1, 217: 1, 197: 2, 218: 2, 198: 4, 219: 4 };
/** The bytes of the count that follows each token of an array or a map. */
const COUNT_BYTES: Readonly<Record<number, number>> = { 220: 2, 221: 4, 222: 2, 223: 4 };
const FIRST_MAP = 0xde;

/**
 * Throws E_PROTOCOL unless `bytes` are exactly one value of plain msgpack: nil, booleans, numbers, text, bytes, arrays
 * and maps, with at most `mostValues` values in it, itself and the names of fields included. msgpackr decodes
 * extensions whatever its options say (records, which it compiles; regular expressions; errors; sets), so they are
 * refused here, before it sees anything. So are false lengths, and depth that would overflow the stack. It reads each
 * byte at most once and allocates no memory.
 */
export function checkPlain(bytes: Uint8Array, mostValues: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let end: number;
  try {
    end = endOfValue(view, 0, 0, { left: mostValues });
  } catch (error) {
    if (error instanceof RangeError) throw notPlain('ends within a value'); // DataView throws it beyond its end
    throw error;
  }
  if (end !== bytes.length) throw notPlain(end > bytes.length ? 'ends within a value' : 'goes on after its value');
}

/** How many more values there may be. */
interface Room {
  left: number;
}

function endOfValue(view: DataView, at: number, depth: number, room: Room): number {
  if (--room.left < 0) throw notPlain('has more values than its kind may have');
  const token = view.getUint8(at);
  const next = at + 1;
  if (token < 0x80 || token >= 0xe0) return next; // a small integer
  if (token < 0xa0) return endOfValues(view, next, (token < 0x90 ? 2 : 1) * (token & 0x0f), depth, room);
  if (token < 0xc0) return next + (token & 0x1f); // a short text
  const fixed = FIXED_BYTES[token];
  if (fixed !== undefined) return next + fixed;
  const isBytes = token in LENGTH_BYTES;
  const width = LENGTH_BYTES[token] ?? COUNT_BYTES[token];
  if (width === undefined) throw notPlain(`has token 0x${token.toString(16)}`);
  const length = width === 1 ? view.getUint8(next) : width === 2 ? view.getUint16(next) : view.getUint32(next);
  if (isBytes) return next + width + length;
  return endOfValues(view, next + width, token < FIRST_MAP ? length : 2 * length, depth, room);
}

function endOfValues(view: DataView, start: number, count: number, depth: number, room: Room): number {
  if (depth === MOST_DEPTH) throw notPlain(`is nested deeper than ${MOST_DEPTH}`);
  let at = start;
  // Each value takes at least one byte, so that a false count ends soon.
  for (let i = 0; i < count; i++) at = endOfValue(view, at, depth + 1, room);
  return at;
}

function notPlain(what: string): PseudolabelError {
  const fix = 'run the same version on both machines';
  return new PseudolabelError('E_PROTOCOL', `a message is not plain msgpack: it ${what}`, fix);
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
