// Tests the frames of the protocol: their layout, their checksums, and which ones are refused.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  decodeFrame,
  encodeBulk,
  encodeMessage,
  type Frame,
  longestFrame,
  type MessageTable,
} from '../../../src/protocol/codec.js';
import { MAX_BULK } from '../../../src/protocol/limits.js';

const NOTE = z.strictObject({ kind: z.literal('note'), text: z.string(), bytes: z.instanceof(Uint8Array) });
type Note = z.infer<typeof NOTE>;
const TABLE: MessageTable<Note> = { note: { schema: NOTE, limit: 1000 } };

const note: Note = { kind: 'note', text: 'text', bytes: Uint8Array.from([1, 2, 3]) };
const tag = { kind: 3, step: 4, index: 5, attempt: 6, offset: 7 };
const payload = Uint8Array.from({ length: 100 }, (_, i) => i);
const whole = (frame: Frame) => Uint8Array.from(frame.flatMap((part) => [...part]));

const refused = expect.objectContaining({ code: expect.stringMatching(/^E_(PROTOCOL|TOO_LARGE)$/) });

describe('a frame', () => {
  it.each([
    ['a message', encodeMessage(TABLE, note), { message: note }],
    ['bulk', encodeBulk(tag, payload), { tag, payload }],
  ] as const)('of %s is read back, wherever it was cut on its way', (_, frame, expected) => {
    const bytes = whole(frame);
    expect(decodeFrame(TABLE, frame)).toEqual(expected);
    for (let first = 0; first <= bytes.length; first += 3) {
      const pieces = [bytes.subarray(0, first), bytes.subarray(first, first + 5), bytes.subarray(first + 5)];
      expect(decodeFrame(TABLE, pieces)).toEqual(expected);
    }
  });

  it('has the layout of docs/protocol.md', () => {
    const [head, body] = encodeBulk({ kind: 0x0102, step: 0x03, index: 0x04, attempt: 0x05, offset: 0x0607 }, payload);
    expect(Buffer.from(head!).toString('hex')).toMatch(/^02000201.{8}03000000040000000500000007060000$/);
    expect(body).toBe(payload);
    const [start] = encodeMessage(TABLE, note);
    expect(Buffer.from(start!).toString('hex')).toMatch(/^01040000.{8}6e6f7465$/); // 'note'
  });

  it('is refused with any one bit changed', () => {
    for (const frame of [encodeMessage(TABLE, note), encodeBulk(tag, payload)]) {
      const bytes = whole(frame);
      for (let bit = 0; bit < 8 * bytes.length; bit++) {
        const changed = bytes.slice();
        changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(() => decodeFrame(TABLE, [changed])).toThrow(refused);
      }
    }
  });

  it('whose payload something else guards has no checksum over it, and still one over its head', () => {
    const [head, body] = encodeBulk(tag, payload, true);
    expect(decodeFrame(TABLE, [head!, body!], true)).toEqual({ tag, payload });
    expect(() => decodeFrame(TABLE, [head!, body!])).toThrow(refused);
    for (let bit = 0; bit < 8 * head!.length; bit++) {
      const changed = head!.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeFrame(TABLE, [changed, body!], true)).toThrow(refused);
    }
  });

  it('is refused at any shorter length, and with more behind it', () => {
    for (const frame of [encodeMessage(TABLE, note), encodeBulk(tag, payload)]) {
      const bytes = whole(frame);
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeFrame(TABLE, [bytes.subarray(0, length)])).toThrow(refused);
      }
      expect(() => decodeFrame(TABLE, [bytes, Uint8Array.of(0)])).toThrow(refused);
    }
    expect(() => decodeFrame(TABLE, [])).toThrow(refused);
  });

  it('is refused where its kind is not in the table, even if every object has such a field', () => {
    for (const kind of ['constructor', '__proto__', 'toString', 'other', '']) {
      const table = { ...Object.fromEntries([[kind, { schema: z.any(), limit: 1000 }]]) } as MessageTable<{
        kind: string;
      }>;
      expect(() => decodeFrame(TABLE, encodeMessage(table, { kind }))).toThrow(refused);
    }
  });

  it('is refused for its size before anything of it is decoded', () => {
    const loose: MessageTable<Note> = { note: { schema: NOTE, limit: 1e6 } };
    const [head, body] = encodeMessage(loose, { ...note, bytes: new Uint8Array(2000) });
    body!.fill(0xc1); // This is neither msgpack nor what the checksum belongs to.
    expect(() => decodeFrame(TABLE, [head!, body!])).toThrow(expect.objectContaining({ code: 'E_TOO_LARGE' }));
    expect(() => decodeFrame(TABLE, [...encodeBulk(tag, payload), new Uint8Array(MAX_BULK)])).toThrow(
      expect.objectContaining({ code: 'E_TOO_LARGE' }),
    );
  });

  it('is as long as the longest of its kind, at most', () => {
    expect(longestFrame(TABLE)).toBe(8 + 255 + MAX_BULK);
    expect(longestFrame({ ...TABLE, long: { limit: 2 ** 26 } })).toBe(8 + 255 + 2 ** 26);
  });

  it('shows nothing that would move a cursor in its error', () => {
    const table = { '\u001b[2J': { schema: z.any(), limit: 1000 } } as unknown as MessageTable<{ kind: string }>;
    expect(() => decodeFrame(TABLE, encodeMessage(table, { kind: '\u001b[2J' }))).toThrow(/'\?\[2J'/);
  });

  it('is refused by an error of ours and no other, whatever it is', () => {
    const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 4 });
    const check = fc.property(pieces, fc.constantFrom(1, 2), (frame, type) => {
      if (frame[0]?.length) frame[0][0] = type;
      expect(() => decodeFrame(TABLE, frame)).toThrow(refused);
    });
    fc.assert(check, { numRuns: 5000, seed: 3 });
  });
});
