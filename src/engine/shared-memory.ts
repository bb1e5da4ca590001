// Allocates the memory that the threads of a machine share.
import { PseudolabelError } from '../errors.js';

export const PAGE = 65536;
/** WebAssembly addresses 4 GiB. */
const MOST_PAGES = 65536;

/**
 * Allocates shared memory of at least this many bytes, all 0. Throws E_MEMORY if WebAssembly cannot address them, or if
 * the system does not give them.
 * @param need what needs the memory, and how to need less
 */
export function sharedMemory(
  bytes: number,
  { what, fix }: { readonly what: string; readonly fix: string },
): WebAssembly.Memory {
  const pages = Math.ceil(bytes / PAGE);
  const megabytes = Math.ceil(bytes / 2 ** 20);
  if (pages > MOST_PAGES)
    throw new PseudolabelError('E_MEMORY', `${what} needs ${megabytes} MiB of shared memory; 4096 are possible`, fix);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  } catch (cause) {
    throw new PseudolabelError('E_MEMORY', `no ${megabytes} MiB of shared memory to be had`, fix, { cause });
  }
}
