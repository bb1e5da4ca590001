// Makes the images that a run keeps for people: examples of its augmentation, and the images whose labels a graph is
// least sure of.
import { Augmenter } from '../../src/data/augment.js';
import type { View } from '../../src/data/augmentation.js';
import type { Dataset } from '../../src/data/dataset.js';
import { methodOf } from '../../src/methods/methods.js';
import type { DoubtfulRecord, ViewsRecord } from '../../src/reporting/record.js';
import type { Stage } from '../../src/training/stage.js';
import type { Predictions } from '../strategies/strategy.js';
import type { ResolvedRun } from './resolved-run.js';

/** The number of images in a row of views, and the steps whose augmentation is shown. */
const SHOWN = 8;
const STEPS = [0, 1];
const MOST_DOUBTFUL = 24;
/** The most bytes of all images of a file together. Fewer images are kept if they are large. */
const MOST_BYTES = 400_000;
const FEWEST = 2;

type Shown = Pick<Dataset, 'train' | 'height' | 'width' | 'channels'>;

const sizeOf = ({ height, width, channels }: Shown) => ({ rows: height, columns: width, channels });
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const roomFor = ({ height, width, channels }: Shown, most: number): number =>
  Math.max(FEWEST, Math.min(most, Math.floor(MOST_BYTES / (height * width * channels))));

/**
 * Returns examples of how the stages augment images, one for each different augmentation. Returns undefined if no stage
 * does.
 */
export function viewsOf({
  dataset,
  split,
  stages,
  config: { seed },
}: Pick<ResolvedRun, 'dataset' | 'split' | 'stages' | 'config'>): ViewsRecord | undefined {
  const seen = new Set<string>();
  const sets = stages.flatMap((each, stage): ViewsRecord['sets'][number][] => {
    const views = viewsIn(each);
    const key = JSON.stringify([views, each.augment]);
    if (views.length === 0 || seen.has(key)) return [];
    seen.add(key);
    const count = roomFor(dataset, SHOWN * (1 + STEPS.length * views.length)) / (1 + STEPS.length * views.length);
    const positions = (views[0] === 'labelled' ? split.labelled : split.unlabelled).slice(0, Math.max(1, count));
    const images = Array.from(positions, (row) => dataset.train.images.at(row));
    const augmenter = new Augmenter(dataset);
    const changed = (image: Uint8Array, view: View, step: number, row: number): string => {
      const to = new Uint8Array(image.length);
      augmenter.write(image, each.augment![view]!, { seed, stage, step, set: view, row }, to);
      return base64(to);
    };
    const shown = views.flatMap((view) =>
      STEPS.map((step) => ({ view, step, pixels: images.map((image, row) => changed(image, view, step, row)) })),
    );
    return [{ stage: each.name, shown: [{ view: 'original', pixels: images.map(base64) }, ...shown] }];
  });
  return sets.length === 0 ? undefined : { ...sizeOf(dataset), sets };
}

/**
 * Returns the views of a stage's rows that are augmented: those of the unlabelled rows, or else that of the labelled
 * ones.
 */
function viewsIn({ augment = {}, method, labelledBatch }: Stage): View[] {
  const isChanged = (view: View): boolean => Object.keys(augment[view] ?? {}).length > 0;
  const { batch, predicts } = methodOf(method);
  const of: View[] = batch(method) > 0 ? [...(predicts(method) ? (['weak'] as const) : []), 'unlabelled'] : [];
  const views = of.filter(isChanged);
  return views.length === 0 && labelledBatch > 0 && isChanged('labelled') ? ['labelled'] : views;
}

/**
 * Returns the propagated labels with the lowest confidences.
 * @param unlabelled the rows of the training images that the labels belong to
 * @param known returns the true label of such an image if it may be shown
 */
export function doubtfulOf(
  { name: stage }: Stage,
  step: number,
  { classes, confidences }: Predictions,
  dataset: Shown,
  unlabelled: Uint32Array,
  known: (position: number) => number | undefined,
): DoubtfulRecord {
  const order = Array.from(classes.keys()).sort((a, b) => confidences[a]! - confidences[b]! || a - b);
  const images = order.slice(0, roomFor(dataset, MOST_DOUBTFUL)).map((position) => {
    const row = unlabelled[position]!;
    return {
      name: dataset.train.ids?.[row] ?? `image ${row}`,
      label: classes[position]!,
      weight: Number(confidences[position]!.toFixed(4)),
      known: known(position),
      pixels: base64(dataset.train.images.at(row)),
    };
  });
  return { ...sizeOf(dataset), stage, step, images };
}
