// The stages of the preset best by another method (--method): its own numbers, and images that are changed, without which views are all alike. Numbers
// are those that a study in PyTorch found on MNIST (docs/methods.md); validation images alone chose them.
import type { AugmentationName, ImageSize } from '../data/augmentation.js';
import { METHOD_NAMES, type MethodName, methodOf } from '../methods/methods.js';
import type { Task } from './scenario.js';
import type { Stage } from './stage.js';

/** What --method takes: whatever trains a classifier. */
export const METHOD_CHOICES: readonly MethodName[] = METHOD_NAMES.filter((name) => !methodOf({ name }).reconstructs);

const STEPS = 2400;
/** Of networks of layers, whose rows cost more; dense ones have the batches of the preset. */
const LAYERS_BATCH = { labelled: 16, unlabelled: 112 };
const RATE = { layers: 3e-3, dense: 1e-3 };
const WARMUP = 20;
const AVERAGE = 0.99;

/** A stage that trains by pseudo-labels, by a method with its own numbers instead. */
export function byMethod(stage: Stage, name: MethodName): Stage {
  if (stage.method.name !== 'pseudo-label' || !isByRows(name)) return stage;
  const { defaults } = methodOf({ name });
  const isDense = stage.model.kind === 'dense';
  const batch = isDense ? stage.method.batch : LAYERS_BATCH.unlabelled;
  return {
    ...stage,
    steps: STEPS,
    labelledBatch: isDense ? stage.labelledBatch : LAYERS_BATCH.labelled,
    method: { ...defaults, batch } as Stage['method'],
    rate: { kind: 'cosine', initial: RATE[isDense ? 'dense' : 'layers'], final: 0, warmup: WARMUP },
    average: AVERAGE,
  };
}

/** Whether byMethod() makes stages that are data parallel. */
export const isByRows = (name: MethodName): boolean => name !== 'supervised' && name !== 'pseudo-label';

/** How images are changed where a method wants it and nobody says how; undefined: not at all. */
export function augmentationFor(
  name: MethodName | undefined,
  images: ImageSize | undefined,
): AugmentationName | undefined {
  if (name === undefined || !images || !methodOf({ name }).augments) return undefined;
  if (images.channels !== 1) return 'colour';
  return name === 'label-propagation' ? 'mild' : 'digits';
}

/** What augmentationFor() has chosen, as a run says it. */
export function augmentationLine(
  { augment, method }: { readonly augment?: AugmentationName | undefined; readonly method?: MethodName | undefined },
  { images }: Pick<Task, 'images'>,
): string | undefined {
  const chosen = augment === undefined ? augmentationFor(method, images) : undefined;
  if (chosen === undefined || !images) return undefined;
  const kind = images.channels === 1 ? 'grey images' : 'images in colour';
  return `augment: ${chosen}, since ${method} trains on changed images, and these are ${kind}; --augment says otherwise (flips or photos where a mirror image has the same class)`;
}
