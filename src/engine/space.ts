// Hands out places in a memory, one behind the other, each aligned to 64 bytes.

/** In floats. TensorFlow reads memory in place only where it is aligned so. */
const ALIGNMENT = 16;

export const aligned = (floats: number): number => Math.ceil(floats / ALIGNMENT) * ALIGNMENT;

export class Space {
  /** start: in bytes, a multiple of 64. */
  constructor(private next: number) {}

  get end(): number {
    return this.next;
  }

  /** The address of room for so many floats. */
  take(floats: number): number {
    const address = this.next;
    this.next += aligned(floats) * 4;
    return address;
  }
}
