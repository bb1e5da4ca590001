// Ends work when a program's AbortSignal aborts, with an E_INTERRUPTED error, and leaves no listener behind.
import { PseudolabelError } from '../../src/errors.js';

/**
 * Does the work until the signal aborts.
 * @param given the program's signal; undefined: nothing ends the work
 * @param work is given a signal whose reason is E_INTERRUPTED, and may leave listeners on it
 * @throws E_INTERRUPTED if the signal has aborted already; the errors of the work
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

/**
 * Does the work of a run in this directory. Throws the errors of the work. If the fix of an error names flags of the
 * command line, it gets a fix for programs.
 */
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
