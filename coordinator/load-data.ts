// Loads what a command is given to train on or to label, with threads that decode pictures, and shows how far they are.
import type { Dataset } from '../src/data/dataset.js';
import { loadDataset } from '../src/data/load.js';
import type { DataOptions } from '../src/data/options.js';
import { ThreadedDecoder } from '../worker/decoder.js';
import { DecodingProgress } from './terminal/decoding.js';
import type { Terminal } from './terminal/terminal.js';

/** What is used of a command's context (commands/options.ts). */
interface Surroundings {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** workers: threads; one a core where it is left out. Throws as loadDataset(), and what the signal says when it aborts. */
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
