// Reads the files of a zip archive. Each is inflated as it is read, and never beyond the size that the archive
// declares.
import { open } from 'node:fs/promises';
import type { ZipFile } from 'yauzl';
import { PseudolabelError } from '../../errors.js';
import { READING, whyNotRead } from '../../files/read.js';

const MOST_ENTRIES = 10_000;
/** Files up to this size may inflate by any factor. */
const MOST_UNDOUBTED_BYTES = 2 ** 28;
/** The largest factor by which larger files may inflate. Images inflate by less. */
const MOST_DOUBTFUL_INFLATION = 200;

export interface ArchiveEntry {
  /** The name within the archive. */
  readonly name: string;
  /** The name for errors: 'data.npz: x_train.npy'. */
  readonly path: string;
  /** The size when inflated. */
  readonly bytes: number;
  /** Yields the inflated bytes, and compares them with their checksum. Throws E_DATA_CHECKSUM. */
  read(): AsyncIterable<Buffer>;
}

export interface Archive {
  readonly entries: readonly ArchiveEntry[];
  close(): void;
}

/**
 * Opens an archive. Throws E_DATA_MISSING, E_DATA_MAGIC if it is no zip archive, and E_DATA_CHECKSUM if it is damaged.
 */
export async function archiveOf(path: string): Promise<Archive> {
  await checkStart(path);
  const { openPromise } = await import('yauzl');
  const zip = await openPromise(path, { autoClose: false }).catch((cause: unknown) => {
    throw damaged(path, cause);
  });
  try {
    return { entries: await entriesOf(path, zip), close: () => zip.close() };
  } catch (cause) {
    zip.close();
    throw damaged(path, cause);
  }
}

async function entriesOf(path: string, zip: ZipFile): Promise<ArchiveEntry[]> {
  const entries = new Map<string, ArchiveEntry>();
  for await (const entry of zip.eachEntry()) {
    const { fileName: name, compressedSize, uncompressedSize: bytes } = entry;
    if (entries.size === MOST_ENTRIES) throw new Error(`it has more than ${MOST_ENTRIES} files`);
    if (entries.has(name)) throw new Error(`it has ${name} twice`);
    if (bytes > MOST_UNDOUBTED_BYTES && bytes > compressedSize * MOST_DOUBTFUL_INFLATION)
      throw new Error(
        `${name} declares ${bytes} bytes for ${compressedSize} compressed ones, as decompression bombs do`,
      );
    const file = `${path}: ${name}`;
    entries.set(name, { name, bytes, path: file, read: () => contentOf(file, zip, entry) });
  }
  return [...entries.values()];
}

async function checkStart(path: string): Promise<void> {
  const start = Buffer.alloc(4);
  try {
    const handle = await open(path, READING);
    try {
      if (!(await handle.stat()).isFile()) throw new Error('it is not a file');
      await handle.read(start, 0, 4, 0);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    const message = `${path} cannot be read: ${whyNotRead(cause)}`;
    throw new PseudolabelError('E_DATA_MISSING', message, 'Check the path and who may read it.', { cause });
  }
  if (start.toString('latin1', 0, 2) === 'PK') return;
  const message = `${path} is not a zip archive: it begins with the bytes ${start.toString('hex')}`;
  throw new PseudolabelError('E_DATA_MAGIC', message, 'Write it with numpy.savez, or fetch it again.');
}

async function* contentOf(
  path: string,
  zip: ZipFile,
  entry: Parameters<ZipFile['openReadStream']>[0],
): AsyncGenerator<Buffer> {
  try {
    yield* await zip.openReadStreamPromise(entry);
  } catch (cause) {
    throw damaged(path, cause);
  }
}

function damaged(path: string, cause: unknown): PseudolabelError {
  const message = `${path} is damaged: ${whyNotRead(cause)}`;
  return new PseudolabelError('E_DATA_CHECKSUM', message, 'Write or fetch the file again.', { cause });
}
