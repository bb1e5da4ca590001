// Holds the labelled images. In a cluster this is the only place with true labels of training images.
import type { ImageSet } from '../src/data/dataset.js';
import type { ImageStore } from '../src/data/image-store.js';
import type { LabelledRows } from '../src/models/tasks.js';

export class LabelledSet {
  readonly count: number;
  readonly #images: ImageStore;
  readonly #rows: Uint32Array;
  readonly #labels: Uint16Array;

  /** rows: positions in `train` of the images whose labels are known and may be used. */
  constructor(train: ImageSet, rows: Uint32Array) {
    this.count = rows.length;
    this.#labels = Uint16Array.from(rows, (row) => train.labels[row]!);
    this.#images = train.images;
    this.#rows = rows;
  }

  /** Returns the number of images of each class. */
  countsOf(classes: number): number[] {
    const counts = new Array<number>(classes).fill(0);
    for (const label of this.#labels) counts[label]! += 1;
    return counts;
  }

  /**
   * Returns the positions of the labelled images among these rows of the training set, and their labels. The rows must
   * include all labelled images.
   */
  seedsAmong(rows: Uint32Array): { readonly positions: Uint32Array; readonly labels: Uint16Array } {
    const positions = new Map(Array.from(rows, (row, position) => [row, position]));
    return { positions: this.#rows.map((row) => positions.get(row)!), labels: this.#labels };
  }

  /** Returns copies of the rows at these positions of the set. */
  rows(positions: Uint32Array): LabelledRows {
    return {
      images: this.#images.gather(positions.map((position) => this.#rows[position]!)),
      labels: Uint16Array.from(positions, (position) => this.#labels[position]!),
    };
  }
}
