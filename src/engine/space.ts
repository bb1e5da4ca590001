// Hands out places in a memory, one behind the other, each aligned as TensorFlow wants it.
import { aligned } from './precision.js';

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
