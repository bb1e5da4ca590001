// Loads the data that a command trains on or labels, with threads that decode images, and shows the progress.
import type { Dataset } from '../src/data/dataset.js';
import { loadDataset } from '../src/data/load.js';
import type { DataOptions } from '../src/data/options.js';
import { ThreadedDecoder } from '../worker/decoder.js';
import { DecodingProgress } from './terminal/decoding.js';
import type { Terminal } from './terminal/terminal.js';

/** The part of a command's context that is used here (commands/options.ts). */
interface Surroundings {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/**
 * Loads the data. workers: the number of threads, by default one for each core. Throws the errors of loadDataset(), and
 * the reason of the signal when it aborts.
 */
export async function loadData(
  { workers, ...options }: DataOptions & { readonly workers?: number | undefined },
  { terminal, signal }: Surroundings,
): Promise<Dataset> {
  terminal.doing('reading images');
  const shown = new DecodingProgress(terminal);
  const progress = (done: number, of: number): void => shown.decoded(done, of);
  try {
    return await loadDataset(options, { decoder: new ThreadedDecoder({ threads: workers, signal, progress }) });
  } finally {
    terminal.erase();
  }
}
