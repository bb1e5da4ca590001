// Encodes sums and totals of gradients for a network, exactly or rounded. The rounding error of one sum is added to the
// next (error feedback), so that all sums together never miss more than one rounding.
import { type Arena, floats } from '../engine/arena.js';
import { type Kernel, loadKernel } from '../engine/kernel/kernel.js';

/** The bytes of a number. */
const BYTES = { f32: 4, bf16: 2 } as const;

export const GRADIENT_CODECS = ['f32', 'bf16'] as const;
export type GradientCodecName = (typeof GRADIENT_CODECS)[number];

export interface Encoded {
  /** The encoded bytes. The next call for the same range, and a write to the vector, overwrite them. */
  readonly payload: Uint8Array;
  /**
   * false if the rounding found or made a value that is not finite. Without rounding it is always true, because nothing
   * is checked.
   */
  readonly finite: boolean;
}

/** One end of a connection. Ranges are in elements, and begin and end at multiples of 8. */
export interface GradientCodec {
  readonly name: GradientCodecName;
  /** Returns the bytes of this many encoded elements. */
  bytes(length: number): number;
  /** Encodes the elements from `start` to `end` of the vector at an address. */
  encode(vector: number, start: number, end: number): Encoded;
  /**
   * Decodes a payload into the vector at an address. offset: the bytes of the transfer before this payload. Throws
   * RangeError for half a number.
   */
  decode(payload: Uint8Array, vector: number, offset: number): void;
  /** Drops the rounding errors. */
  reset(): void;
}

export function gradientCodecOf(name: GradientCodecName, arena: Arena): GradientCodec {
  return name === 'f32' ? new Unchanged(arena) : new Rounded(arena);
}

/** Sends floats as they are in the arena. */
class Unchanged implements GradientCodec {
  readonly name = 'f32';

  constructor(private readonly arena: Arena) {}

  bytes(length: number): number {
    return length * BYTES.f32;
  }

  encode(vector: number, start: number, end: number): Encoded {
    const { buffer } = this.arena.memory;
    return { payload: new Uint8Array(buffer, vector + this.bytes(start), this.bytes(end - start)), finite: true };
  }

  decode(payload: Uint8Array, vector: number, offset: number): void {
    checkWhole(payload.length, this.bytes(1));
    new Uint8Array(this.arena.memory.buffer, vector + offset, payload.length).set(payload);
  }

  reset(): void {
    // There are no rounding errors.
  }
}

/**
 * Sends floats as bfloat16, rounded to nearest even. All sums of this end share one residual, because only their total
 * counts.
 */
class Rounded implements GradientCodec {
  readonly name = 'bf16';
  private readonly kernel: Kernel;

  constructor(private readonly arena: Arena) {
    this.kernel = loadKernel(arena.memory);
  }

  bytes(length: number): number {
    return length * BYTES.bf16;
  }

  encode(vector: number, start: number, end: number): Encoded {
    const { memory, regions } = this.arena;
    const to = regions.encoded + start * 2;
    const finite = this.kernel.roundFedBack(vector + start * 4, regions.residual + start * 4, to, end - start) === 1;
    return { payload: new Uint8Array(memory.buffer, to, (end - start) * 2), finite };
  }

  decode(payload: Uint8Array, vector: number, offset: number): void {
    checkWhole(payload.length, 16);
    const to = vector + offset * 2;
    new Uint8Array(this.arena.memory.buffer, to + payload.length, payload.length).set(payload);
    // This works in place, because it writes behind what is still to be read.
    this.kernel.widen(to + payload.length, payload.length / 2, to);
  }

  reset(): void {
    floats(this.arena, 'residual', this.arena.shape.parameterCount).fill(0);
  }
}

function checkWhole(bytes: number, unit: number): void {
  if (bytes % unit !== 0) throw new RangeError(`${bytes} bytes are no multiple of ${unit}`);
}
