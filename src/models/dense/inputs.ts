// The input rows of a batch, arranged as the products read them.
import type { Activations, Products } from '../../engine/products.js';
import { ImageRows } from '../image-rows.js';
import type { Hardware } from '../kind.js';
import type { DenseModel } from './model.js';
import type { Workspace } from './workspace.js';

export class Inputs extends ImageRows {
  /** The inputs as the products read them. */
  readonly read: Activations;
  private readonly products: Products;

  constructor(
    hardware: Hardware,
    model: DenseModel,
    rows: number,
    private readonly buffers: Workspace,
  ) {
    super(hardware, rows, model.layers[0]!.inputs, buffers);
    this.products = hardware.products;
    const matrix = this.products.matrix(buffers.x, rows, this.pixels);
    this.read = { matrix, isRowMajor: true, lists: buffers.lists };
  }

  /** Copies the inputs, before noise, to the targets of a reconstruction. */
  keepAsTargets(): void {
    this.kernel.transpose(this.buffers.x, this.rows, this.pixels, this.buffers.targets);
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
}
