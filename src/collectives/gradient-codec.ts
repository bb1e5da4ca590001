// Owns the form in which sums and totals go over a network: exact or rounded. Rounding is fed back: what it leaves of one sum is added to
// the next, so that of all sums together never more than one rounding is missing.

import { type Arena, floats } from '../engine/arena.js';
import { type Kernel, loadKernel } from '../engine/kernel/kernel.js';
import { BYTES, isRounded } from '../models/model.js';
import type { Subtree } from './tree.js';

export const GRADIENT_CODECS = ['f32', 'bf16'] as const;
export type GradientCodecName = (typeof GRADIENT_CODECS)[number];

export interface Encoded {
  /** Overwritten by the next call for the same range, or by whoever writes to the vector. */
  readonly payload: Uint8Array;
  /** false where rounding met, or led to, what is not finite. Without rounding nobody looks. */
  readonly finite: boolean;
}

/** One end's. Ranges are in floats and begin and end at multiples of 8. */
export interface GradientCodec {
  readonly name: GradientCodecName;
  /** Bytes of so many floats on their way. */
  bytes(length: number): number;
  /** Floats [start, end) of the vector at an address, as they travel. The vector then holds what the other end will have. */
  encode(vector: number, start: number, end: number): Encoded;
  /** Writes what has come to the vector at an address, behind so many bytes that came before. Throws RangeError for half a number. */
  decode(payload: Uint8Array, vector: number, offset: number): void;
  /** Forgets what rounding has left. */
  reset(): void;
}

export function gradientCodecOf(name: GradientCodecName, arena: Arena): GradientCodec {
  return name === 'f32' ? new Exact(arena) : new Rounded(arena);
}

/** How the sum of a subtree goes over a wire: where slots are bfloat16, the gradient of a single shard as it is. */
export function sumEncoded(wire: GradientCodec, arena: Arena, { count }: Subtree): GradientCodec {
  return count === 1 && isRounded(arena.shape) ? new Halves(arena) : wire;
}

class Exact implements GradientCodec {
  readonly name = 'f32';

  constructor(private readonly arena: Arena) {}

  bytes(length: number): number {
    return length * 4;
  }

  encode(vector: number, start: number, end: number): Encoded {
    const payload = new Uint8Array(this.arena.memory.buffer, vector + start * 4, (end - start) * 4);
    return { payload, finite: true };
  }

  decode(payload: Uint8Array, vector: number, offset: number): void {
    checkWhole(payload.length, 4);
    new Uint8Array(this.arena.memory.buffer, vector + offset, payload.length).set(payload);
  }

  reset(): void {
    // Nothing is ever left.
  }
}

/** bfloat16, to nearest even. One residual for all sums of this end: whichever it is added to, their total is what counts. */
class Rounded implements GradientCodec {
  readonly name = 'bf16';
  private readonly kernel: Kernel;

  constructor(private readonly arena: Arena) {
    this.kernel = loadKernel(arena.memory);
  }

  bytes(length: number): number {
    return length * 2;
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
    // In place: what is written lies behind what is still to be read.
    this.kernel.widen(to + payload.length, payload.length / 2, to);
  }

  reset(): void {
    floats(this.arena, 'residual', this.arena.shape.parameters).fill(0);
  }
}

/** bfloat16 as it is in a slot. */
class Halves implements GradientCodec {
  readonly name = 'bf16';

  constructor(private readonly arena: Arena) {}

  bytes(length: number): number {
    return length * BYTES.bf16;
  }

  encode(gradientBuffer: number, start: number, end: number): Encoded {
    const payload = new Uint8Array(
      this.arena.memory.buffer,
      gradientBuffer + this.bytes(start),
      this.bytes(end - start),
    );
    return { payload, finite: true };
  }

  decode(payload: Uint8Array, gradientBuffer: number, offset: number): void {
    checkWhole(payload.length, BYTES.bf16);
    new Uint8Array(this.arena.memory.buffer, gradientBuffer + offset, payload.length).set(payload);
  }

  reset(): void {
    // Nothing is ever left.
  }
}

function checkWhole(bytes: number, unit: number): void {
  if (bytes % unit !== 0) throw new RangeError(`${bytes} bytes are no multiple of ${unit}`);
}
