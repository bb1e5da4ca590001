// The labelled set: the only place of a cluster where true labels of training images are.
import type { ImageSet } from '../src/data/dataset.js';
import type { LabelledRows } from '../src/models/tasks.js';

export class LabelledSet {
  readonly count: number;
  readonly #images: Uint8Array;
  readonly #labels: Uint8Array;
  readonly #pixels: number;

  /** rows: positions in `train` of the images whose labels are known and may be used. */
  constructor(train: ImageSet, pixels: number, rows: Uint32Array) {
    this.count = rows.length;
    this.#pixels = pixels;
    this.#labels = Uint8Array.from(rows, (row) => train.labels[row]!);
    this.#images = gather(train.images, pixels, rows);
  }

  /** Images of each class. */
  countsOf(classes: number): number[] {
    const counts = new Array<number>(classes).fill(0);
    for (const label of this.#labels) counts[label]! += 1;
    return counts;
  }

  /** Copies of the rows at these positions of the set. */
  rows(positions: Uint32Array): LabelledRows {
    return {
      images: gather(this.#images, this.#pixels, positions),
      labels: Uint8Array.from(positions, (position) => this.#labels[position]!),
    };
  }
}

/** The images at `rows`, one behind the other. */
export function gather(images: Uint8Array, pixels: number, rows: Uint32Array): Uint8Array {
  const gathered = new Uint8Array(rows.length * pixels);
  rows.forEach((row, r) => {
    gathered.set(images.subarray(row * pixels, (row + 1) * pixels), r * pixels);
  });
  return gathered;
}
