// The input rows of a batch: turns image bytes into floats in the workspace, adds noise if asked, and arranges them as
// the products read them.
import type { Images } from '../../data/images.js';
import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import type { Activations, Products } from '../../engine/products.js';
import type { DenseModel } from './model.js';
import type { Workspace } from './workspace.js';

export class Inputs {
  /** The inputs as the products read them. */
  readonly read: Activations;
  private readonly pixels: number;

  constructor(
    private readonly products: Products,
    private readonly kernel: Kernel,
    private readonly arena: Arena,
    model: DenseModel,
    private readonly rows: number,
    private readonly buffers: Workspace,
  ) {
    const { x, lists } = buffers;
    this.pixels = model.layers[0]!.inputs;
    this.read = { matrix: products.matrix(x, rows, this.pixels), isRowMajor: true, lists };
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

  /** Copies the inputs, before noise, to the targets of a reconstruction. */
  keepAsTargets(): void {
    this.kernel.transpose(this.buffers.x, this.rows, this.pixels, this.buffers.targets);
  }

  /** x = clip(x + sigma N(0, 1), 0, 1). */
  addNoise(sigma: number, state: Uint32Array): void {
    const { x, random } = this.buffers;
    this.uint32(random, 16).set(state);
    this.kernel.addNoise(x, this.rows * this.pixels, sigma, this.arena.regions.normals, random);
  }

  /**
   * Drops inputs out, keeping `keep` of 65536, and makes the lists that the products read. random: the address of a
   * random state.
   */
  prepare(keep: number, scale: number, random: number): void {
    const { x, lists } = this.buffers;
    const { kernel, rows, pixels } = this;
    if (scale !== 1) kernel.dropout(x, rows * pixels, keep, scale, random);
    this.products.listByRow(this.read, lists.byRow);
  }

  /** Makes the lists that the backward pass reads. It is called before that pass. */
  prepareBackward(): void {
    this.products.listByInput(this.read, this.buffers.lists.byInput);
  }

  private loadCopied(count: number, first: number): void {
    const { x, images } = this.buffers;
    this.kernel.loadRows(images, count, this.rows - first, this.pixels, x + first * this.pixels * 4);
  }

  private bytes(length: number): Uint8Array {
    return new Uint8Array(this.arena.memory.buffer, this.buffers.images, length);
  }

  private uint32(address: number, length: number): Uint32Array {
    return new Uint32Array(this.arena.memory.buffer, address, length);
  }
}
