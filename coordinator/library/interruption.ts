// Work that a program's AbortSignal ends: with an error of ours, and without a listener that stays behind.
import { PseudolabelError } from '../../src/errors.js';

/**
 * @param given the program's signal; undefined: nothing ends the work
 * @param work is given a signal whose reason is E_INTERRUPTED, and may leave listeners on it
 * @throws E_INTERRUPTED where the signal was aborted before; what the work throws
 */
export async function interruptible<T>(
  given: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, abort } = controllerOf();
  const stop = (): void => abort(given?.reason);
  if (given?.aborted) stop();
  given?.addEventListener('abort', stop, { once: true });
  try {
    signal.throwIfAborted();
    return await work(signal);
  } finally {
    given?.removeEventListener('abort', stop);
  }
}

function controllerOf() {
  const controller = new AbortController();
  const abort = (cause: unknown): void =>
    controller.abort(
      new PseudolabelError('E_INTERRUPTED', 'the signal stopped it before it was done', 'start it again', { cause }),
    );
  return { signal: controller.signal, abort };
}

/** Does the work of a run in this directory. Throws what that throws, with a fix for a program where it names flags of the command line. */
export async function forPrograms<T>(directory: string | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof PseudolabelError && directory !== undefined ? withCall(error, directory) : error;
  }
}

function withCall(error: PseudolabelError, directory: string): PseudolabelError {
  const { code, message, fix } = error;
  const said = fix
    .replaceAll('another --out', 'another `out`')
    .replace(/--resume( this one)?$/, `train({ resume: ${quoted(directory)} })`);
  return said === fix ? error : new PseudolabelError(code, message, said, { cause: error });
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
