// Refuses a graph that is too large to be made: it has too many images, or a descriptor of it has too many values.
import type { ImageSize } from '../data/augmentation.js';
import { PseudolabelError } from '../errors.js';
import { type Descriptor, type GraphSettings, MOST_PARTS, MOST_ROWS, MOST_VALUES } from '../graph/settings.js';
import { widthsOf } from './describe.js';
import type { Model } from './model.js';

/**
 * The most values of a matrix [images, classes]. Four such matrices of 8-byte values are in memory while labels spread.
 */
const MOST_LABEL_VALUES = 2 ** 27;

/** What a graph is made of. It is known before a run begins, so that an impossible graph is refused then. */
export interface GraphInput {
  readonly count: number;
  readonly classes: number;
  readonly size: ImageSize;
  /** The network whose features are a descriptor. */
  readonly model: Model;
}

/** Throws E_CONFIG if there are too many images for a graph, or if a descriptor has too many values. */
export function checkGraph({ descriptors }: GraphSettings, { count, classes, size, model }: GraphInput): void {
  if (count > MOST_ROWS)
    throw new PseudolabelError(
      'E_CONFIG',
      `graph: ${count} images, and exact neighbours are found of ${MOST_ROWS} at most, whose search takes half an hour of one core`,
      'use fewer unlabelled images, or a method without a graph',
    );
  if (count * classes > MOST_LABEL_VALUES)
    throw new PseudolabelError(
      'E_CONFIG',
      `graph: labels of ${count} images in ${classes} classes take ${Math.ceil((count * classes * 32) / 2 ** 30)} GiB while they spread`,
      'use fewer unlabelled images, or a method without a graph',
    );
  for (const descriptor of descriptors) checkWidths(widthsOf({ descriptor, size, model }), descriptor);
}

function checkWidths(widths: readonly number[], { kind }: Descriptor): void {
  if (widths.length > MOST_PARTS)
    throw new PseudolabelError(
      'E_CONFIG',
      `graph: features of ${widths.length} networks; a graph has those of ${MOST_PARTS} at most`,
      'use fewer members, or leave features out of graph.descriptors',
    );
  const most = Math.max(...widths);
  if (most <= MOST_VALUES) return;
  throw new PseudolabelError(
    'E_CONFIG',
    `graph: ${kind === 'features' ? `the last layer of the network reads ${most} values` : `images have ${most} values`}; principal components are found of ${MOST_VALUES} at most`,
    kind === 'features'
      ? 'use a network whose last layer reads less, or leave features out of graph.descriptors'
      : 'use hog, or smaller images',
  );
}
