// The stages of the preset best with another method (--method): they have the method's own numbers, and images that are
// augmented, without which all views would be equal. The numbers come from a study in PyTorch on MNIST, which used
// validation images alone (docs/methods.md).
import type { AugmentationName, ImageSize } from '../../data/augmentation.js';
import { METHOD_NAMES, type MethodName, methodOf } from '../../methods/methods.js';
import type { Stage } from '../stage.js';
import type { PresetInput } from './shared.js';

/** The methods that --method takes: all that train a classifier. */
export const METHOD_CHOICES: readonly MethodName[] = METHOD_NAMES.filter((name) => !methodOf({ name }).reconstructs);

const STEPS = 2400;
/** The batches for networks of layers, whose rows cost more. Dense networks keep the batches of the preset. */
const LAYERS_BATCH = { labelled: 16, unlabelled: 112 };
const RATE = { layers: 3e-3, dense: 1e-3 };
const WARMUP = 20;
const AVERAGE = 0.99;

/** Gives a stage with pseudo-labels another method that makes them, with that method's own numbers. */
export function byMethod(stage: Stage, name: MethodName): Stage {
  const { defaults, usesPseudoLabels } = methodOf({ name });
  if (stage.method.name === name || !usesPseudoLabels || !methodOf(stage.method).usesPseudoLabels) return stage;
  const isDense = stage.model.kind === 'dense';
  const batch = isDense ? methodOf(stage.method).batch(stage.method) : LAYERS_BATCH.unlabelled;
  return {
    ...stage,
    steps: STEPS,
    labelledBatch: isDense ? stage.labelledBatch : LAYERS_BATCH.labelled,
    method: { ...defaults, batch } as Stage['method'],
    rate: { kind: 'cosine', initial: RATE[isDense ? 'dense' : 'layers'], final: 0, warmup: WARMUP },
    average: AVERAGE,
  };
}

/** Returns the augmentation that a method needs, for when the user does not say how; undefined if it needs none. */
export function augmentationFor(
  name: MethodName | undefined,
  images: ImageSize | undefined,
): AugmentationName | undefined {
  const ofGrey = name && methodOf({ name }).augmentation;
  if (ofGrey === undefined || !images) return undefined;
  return images.channels === 1 ? ofGrey : 'colour';
}

/** Returns the line that tells the user what augmentationFor() has chosen. */
export function augmentationLine(
  { augment, method }: { readonly augment?: AugmentationName | undefined; readonly method?: MethodName | undefined },
  { images }: Pick<PresetInput, 'images'>,
): string | undefined {
  const chosen = augment === undefined ? augmentationFor(method, images) : undefined;
  if (chosen === undefined || !images) return undefined;
  const kind = images.channels === 1 ? 'grey images' : 'images in colour';
  return `augment: ${chosen}, since ${method} trains on changed images, and these are ${kind}; --augment says otherwise (flips or photos where a mirror image has the same class)`;
}
