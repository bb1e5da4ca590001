// The data source of packed files, which `pseudolabel pack` writes: images, labels, names and test set in one file.
import { PseudolabelError } from '../../errors.js';
import { Unreadable, whyNotRead } from '../../files/read.js';
import { UNKNOWN } from '../dataset.js';
import { isPacked, type Packed, readPacked } from '../packed.js';
import type { Collection, DataSource, FoundSet } from '../source.js';

/** Reads a packed file. open throws PseudolabelError E_DATA_MISSING, E_DATA_CHECKSUM and E_MEMORY. */
export const PACK: DataSource = {
  name: 'pack',
  reads: 'a file that `pseudolabel pack` wrote',
  recognises: isPacked,
  open: async (path) => {
    const packed = await opened(path);
    const [train, test] = packed.sets.map((_, s) => foundSet(path, packed, s)) as [FoundSet, FoundSet | undefined];
    return { classNames: packed.classNames, train, test, notes: packed.notes } satisfies Collection;
  },
};

async function opened(path: string): Promise<Packed> {
  try {
    return await readPacked(path);
  } catch (cause) {
    if (cause instanceof PseudolabelError) throw cause;
    const fix = 'Copy it again, or write it anew with `pseudolabel pack`.';
    if (cause instanceof Unreadable)
      throw new PseudolabelError('E_DATA_CHECKSUM', `${path} ${cause.message}`, fix, { cause });
    throw new PseudolabelError('E_DATA_MISSING', `${path} cannot be read: ${whyNotRead(cause)}`, fix, { cause });
  }
}

function foundSet(path: string, { height, width, channels, sets }: Packed, s: number): FoundSet {
  const { store, labels, ids } = sets[s]!;
  return {
    path,
    count: store.count,
    ids,
    labels: labels && Array.from(labels, (label) => (label === UNKNOWN ? undefined : label)),
    images: { kind: 'plain', height, width, channels, store },
  };
}
