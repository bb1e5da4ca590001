// Loads images for a program, with threads that decode them.
import { resolve } from 'node:path';
import type { Dataset } from '../../src/data/dataset.js';
import { loadDataset as load } from '../../src/data/load.js';
import type { DataOptions } from '../../src/data/options.js';
import { ThreadedDecoder } from '../../worker/decoder.js';
import { interruptible } from './abort-signal.js';

/** A data set that knows how to load it again. A run in a directory keeps these options. */
export interface LoadedDataset extends Dataset {
  readonly options: DataOptions;
}

/** How images are read: the options of `pseudolabel data` in camel case. */
export interface LoadOptions extends Omit<DataOptions, 'data'> {
  /** The number of threads that decode images. Defaults to one for each core. */
  readonly workers?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told the progress every few images, if they are not in the cache. */
  readonly progress?: ((done: number, of: number) => void) | undefined;
}

/**
 * Loads the images in a folder or a file, of any kind that `pseudolabel data` reads.
 * @param path defaults to MNIST, which comes with the package
 * @throws PseudolabelError E_DATA_*, E_CONFIG, E_MEMORY, E_NATIVE, E_TIMEOUT; E_INTERRUPTED if the signal aborts
 */
export function loadDataset(
  path?: string,
  { workers, signal, progress, ...rest }: LoadOptions = {},
): Promise<LoadedDataset> {
  return interruptible(signal, async (stop) => {
    const options = path === undefined ? rest : { ...rest, data: resolve(path) };
    const decoder = new ThreadedDecoder({ threads: workers, signal: stop, progress });
    return { ...(await load(options, { decoder })), options };
  });
}
