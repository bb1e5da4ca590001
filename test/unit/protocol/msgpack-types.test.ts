// Tests which msgpack values are accepted, and the limits of their number and depth.
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { checkPlain as checkPlainWithin } from '../../../src/protocol/codec.js';

const packr = new Packr({ useRecords: false, moreTypes: false });
const MOST_VALUES = 10_000;
const checkPlain = (bytes: Uint8Array) => checkPlainWithin(bytes, MOST_VALUES);
const refused = expect.objectContaining({ code: 'E_PROTOCOL' });

describe('plain msgpack', () => {
  it('is what JSON can say, and bytes', () => {
    const value = fc.letrec((tie) => ({
      any: fc.oneof(
        { depthSize: 'small', maxDepth: 5 },
        tie('leaf'),
        fc.array(tie('any')),
        fc.dictionary(fc.string(), tie('any')),
      ),
      leaf: fc.oneof(
        fc.integer(),
        fc.double(),
        fc.string({ maxLength: 300 }),
        fc.boolean(),
        fc.constant(null),
        fc.uint8Array({ maxLength: 70_000 }),
      ),
    })).any;
    const check = fc.property(value, (any) => checkPlain(packr.pack(any)));
    fc.assert(check, { numRuns: 200, seed: 1 });
  });

  it.each([
    ['a record, which msgpackr would compile', new Packr({ useRecords: true }).pack([{ a: 1 }])],
    ['a regular expression', new Packr({ moreTypes: true }).pack(/a/)],
    ['a set', new Packr({ moreTypes: true }).pack(new Set([1]))],
    ['an error', new Packr({ moreTypes: true }).pack(new Error('no'))],
    ['a typed array', new Packr({ moreTypes: true }).pack(new Float32Array(2))],
    ['a date', packr.pack(new Date())],
    ['undefined', packr.pack(undefined)],
    ['the token that is never used', Buffer.from([0xc1])],
  ])('is not %s', (_, bytes) => {
    expect(() => checkPlain(bytes)).toThrow(refused);
  });

  it.each([
    ['nothing', []],
    ['two values', [1, 2]],
    ['an array that says it has four billion entries', [0xdd, 255, 255, 255, 255, 1]],
    ['text that says it has four billion bytes', [0xdb, 255, 255, 255, 255, 65]],
    ['bytes one too short', [0xc4, 3, 1, 2]],
    ['half a number', [0xcb, 0, 0]],
    ['a thousand arrays in one another', [...new Array(1000).fill(0x91), 1]],
  ])('is not %s', (_, bytes) => {
    expect(() => checkPlain(Uint8Array.from(bytes))).toThrow(refused);
  });

  it('has arrays in one another up to 16 deep', () => {
    const nested = (depth: number) => Uint8Array.from([...new Array(depth).fill(0x91), 1]);
    checkPlain(nested(16));
    expect(() => checkPlain(nested(17))).toThrow(refused);
  });

  it('has so many values and no more, names of fields and what holds them included', () => {
    const values = packr.pack({ a: [1, { b: 'c' }], d: new Uint8Array(100) });
    checkPlainWithin(values, 9);
    expect(() => checkPlainWithin(values, 8)).toThrow(refused);
  });

  it('is refused at the first value too many, however long it is (case S2)', () => {
    const bytes = new Uint8Array(63 * 2 ** 20).fill(0x80); // These are empty maps of one byte each.
    bytes.set([0xdd, 3, 0xef, 0xff, 0xfb]);
    let looks = 0;
    const traced = new Proxy(bytes, {
      get: (target, name) => {
        looks++;
        return Reflect.get(target, name, target);
      },
    });
    expect(() => checkPlainWithin(traced, MOST_VALUES)).toThrow(/more values/);
    expect(looks).toBeLessThan(10);
  });

  it('is decided without an exception of another kind, whatever the bytes', () => {
    const check = fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        checkPlain(bytes);
      } catch (error) {
        expect(error).toEqual(refused);
      }
    });
    fc.assert(check, { numRuns: 5000, seed: 2 });
  });
});
