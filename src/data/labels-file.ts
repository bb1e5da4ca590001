// Labels in a CSV or TSV file, over those that a collection has.
import { PseudolabelError } from '../errors.js';
import type { Collection } from './source.js';

/** The collection with the labels of a file; images that it does not name have none. Throws E_DATA_*. */
export async function withLabelsFile(collection: Collection, path: string): Promise<Collection> {
  throw new PseudolabelError('E_DATA_FORMAT', `${path}: ${collection.train.count} images`, 'Not yet.');
}
