// Hands out addresses in a memory, one after the other, each aligned to 64 bytes.

/** In floats. TensorFlow reads memory in place only if it is aligned to this. */
const ALIGNMENT = 16;

export const aligned = (floats: number): number => Math.ceil(floats / ALIGNMENT) * ALIGNMENT;

export class Space {
  /** start: in bytes, a multiple of 64. */
  constructor(private next: number) {}

  get end(): number {
    return this.next;
  }

  /** Returns the address of room for this many floats. */
  take(floats: number): number {
    const address = this.next;
    this.next += aligned(floats) * 4;
    return address;
  }
}
