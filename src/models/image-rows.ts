// The images of a batch in a workspace: turns their bytes into rows of floats, and adds noise if asked.
import type { Images } from '../data/images.js';
import type { Arena } from '../engine/arena.js';
import type { Kernel } from '../engine/kernel/kernel.js';
import type { Hardware } from './kind.js';

/** Addresses in bytes. */
export interface ImagePlaces {
  /** The inputs, floats [rows, pixels]. */
  readonly x: number;
  /** The images of rows that are being loaded, as bytes. */
  readonly images: number;
  /** The state of a random stream, and behind it room for the bits that the kernel draws at a time. */
  readonly random: number;
}

export class ImageRows {
  protected readonly kernel: Kernel;
  protected readonly arena: Arena;
  /** The number of rows in the workspace that are not padding. */
  protected count = 0;

  constructor(
    { kernel, arena }: Hardware,
    protected readonly rows: number,
    protected readonly pixels: number,
    private readonly imagePlaces: ImagePlaces,
  ) {
    this.kernel = kernel;
    this.arena = arena;
  }

  loadBytes(images: Uint8Array, first = 0): void {
    if (images.length === 0) return;
    this.bytes(images.length).set(images);
    this.loadCopied(images.length / this.pixels, first);
  }

  /** Loads rows from row `first` on, and zeros behind them. positions: the image of each row. */
  load(images: Images, positions: ArrayLike<number>, first: number): void {
    images.gather(positions, this.bytes(positions.length * this.pixels));
    this.loadCopied(positions.length, first);
  }

  /** x = clip(x + sigma N(0, 1), 0, 1). */
  addNoise(sigma: number, state: Uint32Array): void {
    const { x, random } = this.imagePlaces;
    new Uint32Array(this.arena.memory.buffer, random, 16).set(state);
    this.kernel.addNoise(x, this.rows * this.pixels, sigma, this.arena.regions.normals, random);
  }

  /** Turns the bytes of this many rows into floats, and sets the rows behind them to zero. */
  private loadCopied(count: number, first: number): void {
    const { x, images } = this.imagePlaces;
    this.count = first + count;
    this.kernel.loadRows(images, count, this.rows - first, this.pixels, x + first * this.pixels * 4);
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, this.imagePlaces.images, length);
  }
}
