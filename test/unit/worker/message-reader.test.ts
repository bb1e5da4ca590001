import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MessageReader } from '../../../worker/message-reader.js';

interface Frame {
  readonly opcode: number;
  readonly isLast: boolean;
  readonly payload: Uint8Array;
  readonly mask: Uint8Array | undefined;
}

/** RFC 6455, section 5.2. length: what is announced, if it is another than what comes. */
function bytesOf({ opcode, isLast, payload, mask }: Frame, length = payload.length): Buffer {
  const head = [(isLast ? 0x80 : 0) | opcode];
  const masked = mask ? 0x80 : 0;
  if (length < 126) head.push(masked | length);
  else if (length < 65_536) head.push(masked | 126, length >> 8, length & 255);
  else head.push(masked | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((shift) => (length >> shift) & 255));
  const shown = mask ? payload.map((byte, i) => byte ^ mask[i & 3]!) : payload;
  return Buffer.concat([Buffer.from(head), mask ?? new Uint8Array(), shown]);
}

interface Told {
  readonly messages: { readonly bytes: Buffer; readonly isBinary: boolean }[];
  readonly others: Buffer;
}

function read(pieces: readonly Buffer[], longest = 2 ** 20, isMasked = true): Told {
  const messages: Told['messages'] = [];
  const others: Buffer[] = [];
  const reader = new MessageReader(
    { longest, isMasked },
    {
      message: (bytes, isBinary) => {
        expect(bytes.byteOffset % 8).toBe(0);
        messages.push({ bytes: Buffer.from(bytes), isBinary });
      },
      other: (bytes) => others.push(Buffer.from(bytes)),
    },
  );
  for (const piece of pieces) {
    // As a socket may do: the memory is used again for what comes next.
    const memory = Buffer.from(piece);
    for (let at = 0; at < memory.length; ) at += reader.take(memory.subarray(at));
    memory.fill(0xee);
  }
  return { messages, others: Buffer.concat(others) };
}

const masks = fc.oneof(fc.constant(new Uint8Array(4)), fc.uint8Array({ minLength: 4, maxLength: 4 }));
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 20 }),
  fc.uint8Array({ minLength: 120, maxLength: 300 }),
  fc.integer({ min: 65_530, max: 70_000 }).map((length) => new Uint8Array(length).map((_, i) => i % 251)),
);
const controls = fc.record({
  opcode: fc.constantFrom(9, 10),
  isLast: fc.constant(true),
  payload: fc.uint8Array({ maxLength: 125 }),
  mask: masks,
});
const messages = fc.record({
  isBinary: fc.boolean(),
  fragments: fc.array(fc.tuple(payloads, masks, fc.option(controls)), { minLength: 1, maxLength: 3 }),
});

/** Cuts bytes into pieces that end at these shares of their length. */
function cut(bytes: Buffer, shares: readonly number[]): Buffer[] {
  const ends = [...shares.map((share) => Math.floor(share * bytes.length)), bytes.length].sort((a, b) => a - b);
  return ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
}

const binary = (payload: Uint8Array, rest: Partial<Frame> = {}): Frame => ({
  ...{ opcode: 2, isLast: true, payload, mask: new Uint8Array(4) },
  ...rest,
});

describe('messages of a WebSocket', () => {
  it('are put together from any fragments, masks and pieces, and all else goes through as it came', () => {
    const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 4 }), shares, (sent, ends) => {
        const through: Buffer[] = [];
        const wire = sent.flatMap(({ isBinary, fragments }) =>
          fragments.flatMap(([payload, mask, control], i) => {
            const opcode = i > 0 ? 0 : isBinary ? 2 : 1;
            const frame = bytesOf({ opcode, isLast: i === fragments.length - 1, payload, mask });
            if (!control) return [frame];
            through.push(bytesOf(control));
            return [bytesOf(control), frame];
          }),
        );
        const told = read(cut(Buffer.concat(wire), ends));
        const bytes = sent.map(({ fragments }) => Buffer.concat(fragments.map(([payload]) => payload)));
        expect(told.messages.map(({ isBinary }) => isBinary)).toEqual(sent.map(({ isBinary }) => isBinary));
        expect(told.messages.map((message, i) => message.bytes.equals(bytes[i]!))).not.toContain(false);
        expect(told.others.equals(Buffer.concat(through))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  const hello = Uint8Array.of(1, 2, 3);
  it.each<[string, Buffer]>([
    ['a frame without a mask', bytesOf(binary(hello, { mask: undefined }))],
    ['a reserved bit', bytesOf(binary(hello, { opcode: 0x42 }))],
    ['an unknown opcode', bytesOf(binary(hello, { opcode: 3 }))],
    ['the middle of no message', bytesOf(binary(hello, { opcode: 0 }))],
    ['a frame that is too long', bytesOf(binary(hello), 2 ** 20 + 1)],
  ])('%s goes through, with all behind it', (_, wrong) => {
    const good = bytesOf(binary(hello));
    const told = read([Buffer.concat([good, wrong, good])]);
    expect(told.messages).toHaveLength(1);
    expect(told.others.equals(Buffer.concat([wrong, good]))).toBe(true);
  });

  it('that are too long in all their fragments go through from the last on, as if they began there', () => {
    const half = new Uint8Array(600);
    const begun = bytesOf(binary(half, { isLast: false }));
    const told = read([Buffer.concat([begun, bytesOf(binary(half, { opcode: 0 }))])], 1000);
    expect(told.messages).toEqual([]);
    expect(told.others.equals(bytesOf(binary(half)))).toBe(true);
  });

  it('take no memory for what is only announced', () => {
    const before = process.memoryUsage().arrayBuffers;
    const readers = Array.from({ length: 50 }, () => {
      const reader = new MessageReader({ longest: 2 ** 26, isMasked: true }, { message: () => {}, other: () => {} });
      const bytes = bytesOf(binary(new Uint8Array(100)), 2 ** 26);
      for (let at = 0; at < bytes.length; ) at += reader.take(bytes.subarray(at));
      return reader;
    });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50 * 2 ** 16);
    expect(readers.every(({ isBetween }) => !isBetween)).toBe(true);
  });

  it('of a server come without a mask', () => {
    const told = read([bytesOf(binary(hello, { mask: undefined }))], 100, false);
    expect(told.messages).toEqual([{ bytes: Buffer.from(hello), isBinary: true }]);
  });
});
