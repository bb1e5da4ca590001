// Finds the images that the model is least sure of, as their pseudo-labels change. A person would look at these first.
import type { Dataset } from '../../src/data/dataset.js';
import { pngOf } from '../../src/reporting/image.js';
import type { Predictions } from '../strategies/strategy.js';
import type { UnsureNews } from './messages.js';

const MOST_IMAGES = 24;
const FEWEST_IMAGES = 4;
/** The most bytes of all images together, before they are compressed. */
const MOST_BYTES = 300_000;
/** Milliseconds between two updates of the images. Nobody could look at them faster. */
const BETWEEN_MS = 2000;

export class Unsure {
  private images: readonly UnsureNews[] = [];
  private version = 0;
  private takenAt = Number.NEGATIVE_INFINITY;
  private readonly before = new Map<number, number>();

  /** unlabelled: the rows of the training images that have no label. now: returns milliseconds. */
  constructor(
    private readonly dataset: Pick<Dataset, 'train' | 'height' | 'width' | 'channels'>,
    private readonly unlabelled: Uint32Array,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Takes new predictions. positions: those of the images among the unlabelled ones; undefined: all of them. */
  looked({ classes, confidences }: Predictions, positions?: Uint32Array): void {
    if (this.now() - this.takenAt < BETWEEN_MS) return;
    this.takenAt = this.now();
    const { train, height, width, channels } = this.dataset;
    const most = Math.floor(MOST_BYTES / (height * width * channels));
    const count = Math.min(MOST_IMAGES, Math.max(FEWEST_IMAGES, most), classes.length);
    const order = Array.from(classes.keys()).sort((a, b) => confidences[a]! - confidences[b]! || a - b);
    const last = new Map(this.before);
    for (const [i, each] of classes.entries()) this.before.set(positions?.[i] ?? i, each);
    this.images = order.slice(0, count).map((i) => {
      const position = positions?.[i] ?? i;
      const row = this.unlabelled[position]!;
      const png = pngOf(train.images.at(row), { rows: height, columns: width, channels });
      return {
        name: train.ids?.[row] ?? `image ${row}`,
        png: Buffer.from(png).toString('base64'),
        label: classes[i]!,
        before: last.get(position),
        confidence: Number(confidences[i]!.toFixed(4)),
      };
    });
    this.version++;
  }

  get cursor(): number {
    return this.version;
  }

  /** Returns undefined if nothing is new since a page was told. */
  since(cursor = 0): readonly UnsureNews[] | undefined {
    return this.version > cursor ? this.images : undefined;
  }
}
