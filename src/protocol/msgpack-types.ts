// Owns what of msgpack the wire may carry: nil, booleans, numbers, text, bytes, arrays and maps, and nothing that names a type. msgpackr
// decodes its extensions (records, which it compiles; regular expressions; errors; sets) whatever its options say, so they end here.
import { PseudolabelError } from '../errors.js';

/** Arrays and maps within one another. The deepest message of ours has five. */
const MOST_DEPTH = 16;

/**
 * Throws E_PROTOCOL unless `bytes` are exactly one plain value with at most so many values in it, itself and the names of fields included.
 * Reads each byte at most once, takes no memory, and is done before a decoder sees anything: lengths that lie, depth that would end the
 * stack, more values than would be decoded in a moment and every extension are refused here.
 */
export function checkPlain(bytes: Uint8Array, mostValues: number): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const room = { left: mostValues };
  let end: number;
  try {
    end = endOfValue(view, 0, 0, room);
  } catch (error) {
    if (error instanceof RangeError) throw notPlain('ends within a value'); // what DataView throws behind its end
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
  if (token < 0x80 || token >= 0xe0) return next;
  if (token < 0x90) return endOfValues(view, next, 2 * (token & 0x0f), depth, room);
  if (token < 0xa0) return endOfValues(view, next, token & 0x0f, depth, room);
  if (token < 0xc0) return next + (token & 0x1f);
  switch (token) {
    case 0xc0: // nil, false, true
    case 0xc2:
    case 0xc3:
      return next;
    case 0xcc: // integers and floats of 1, 2, 4 and 8 bytes
    case 0xd0:
      return next + 1;
    case 0xcd:
    case 0xd1:
      return next + 2;
    case 0xca:
    case 0xce:
    case 0xd2:
      return next + 4;
    case 0xcb:
    case 0xcf:
    case 0xd3:
      return next + 8;
    case 0xc4: // bytes and text
    case 0xd9:
      return next + 1 + view.getUint8(next);
    case 0xc5:
    case 0xda:
      return next + 2 + view.getUint16(next);
    case 0xc6:
    case 0xdb:
      return next + 4 + view.getUint32(next);
    case 0xdc: // arrays and maps
      return endOfValues(view, next + 2, view.getUint16(next), depth, room);
    case 0xdd:
      return endOfValues(view, next + 4, view.getUint32(next), depth, room);
    case 0xde:
      return endOfValues(view, next + 2, 2 * view.getUint16(next), depth, room);
    case 0xdf:
      return endOfValues(view, next + 4, 2 * view.getUint32(next), depth, room);
    default:
      throw notPlain(`has token 0x${token.toString(16)}`);
  }
}

function endOfValues(view: DataView, start: number, count: number, depth: number, room: Room): number {
  if (depth === MOST_DEPTH) throw notPlain(`is nested deeper than ${MOST_DEPTH}`);
  let at = start;
  for (let i = 0; i < count; i++) at = endOfValue(view, at, depth + 1, room); // each takes a byte at least, so a count that lies ends soon
  return at;
}

function notPlain(what: string): PseudolabelError {
  const fix = 'run the same version on both machines';
  return new PseudolabelError('E_PROTOCOL', `a message is not plain msgpack: it ${what}`, fix);
}
