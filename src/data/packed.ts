// The file of decoded images, which `pseudolabel pack` writes and the cache keeps. It is checked as a whole, and no memory
// is allocated before the sizes that it declares are known to be those of the file.
//
//   magic      16 bytes
//   length     of the header, 4 bytes, little-endian
//   header     JSON (headerSchema)
//   sets       for each: its labels (2 bytes each, little-endian) and its ids (JSON) if it has any, and its pixels
//   SHA-256    of everything before it except the pixels, 32 bytes. The header has those of the pixels, by which a run
//              also identifies them, so that they are hashed once
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { fill, parseJson, READING, Unreadable } from '../files/read.js';
import { ImageStore } from './image-store.js';

const MAGIC = Buffer.from('pseudolabel-2\n\0\n', 'latin1');
const START_BYTES = MAGIC.length + 4;
const HASH_BYTES = 32;
const MOST_HEADER_BYTES = 2 ** 24;
const MOST_IDS_BYTES = 2 ** 29 - 2 ** 10;
/** The bytes of pixels that are hashed or copied at a time. */
const PIECE_BYTES = 2 ** 22;

const whole = z
  .int()
  .min(1)
  .max(2 ** 32);
const setSchema = z.strictObject({
  count: whole,
  hasLabels: z.boolean(),
  /** 0: there are none. */
  idsBytes: z.int().min(0).max(MOST_IDS_BYTES),
  /** The hex SHA-256 of its pixels. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
const headerSchema = z.strictObject({
  name: z.string(),
  height: z
    .int()
    .min(1)
    .max(2 ** 16),
  width: z
    .int()
    .min(1)
    .max(2 ** 16),
  channels: z.int().min(1).max(4),
  classNames: z.array(z.string()).max(2 ** 16),
  notes: z.array(z.string()),
  sets: z.array(setSchema).min(1).max(2),
});

export interface PackedSet {
  readonly store: ImageStore;
  /** Positions in the class names, or UNKNOWN. */
  readonly labels: Uint16Array | undefined;
  readonly ids: readonly string[] | undefined;
}

export interface Packed {
  readonly name: string;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly classNames: readonly string[];
  readonly notes: readonly string[];
  /** The training set and the test set. */
  readonly sets: readonly PackedSet[];
}

/** Yields the bytes of the file, made as they are needed. */
export function* packedBytes({ sets, ...header }: Packed): Generator<Uint8Array> {
  const hash = createHash('sha256');
  const ids = sets.map((set) => (set.ids ? Buffer.from(JSON.stringify(set.ids)) : Buffer.alloc(0)));
  const json = Buffer.from(
    JSON.stringify({
      ...header,
      sets: sets.map(({ store, labels }, s) => ({
        count: store.count,
        hasLabels: labels !== undefined,
        idsBytes: ids[s]!.length,
        sha256: store.sha256,
      })),
    }),
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(json.length);
  const hashed = (bytes: Uint8Array): Uint8Array => {
    hash.update(bytes);
    return bytes;
  };
  for (const bytes of [MAGIC, length, json]) yield hashed(bytes);
  for (const [s, { store, labels }] of sets.entries()) {
    if (labels) yield hashed(littleEndian(labels));
    yield hashed(ids[s]!);
    // These are copies, so that other threads cannot change what is being written.
    for (const view of store.views())
      for (let at = 0; at < view.length; at += PIECE_BYTES) yield view.slice(at, at + PIECE_BYTES);
  }
  yield hash.digest();
}

function littleEndian(labels: Uint16Array): Uint8Array {
  const bytes = Buffer.alloc(2 * labels.length);
  for (const [i, label] of labels.entries()) bytes.writeUInt16LE(label, 2 * i);
  return bytes;
}

/** Returns whether a file begins like a packed file. */
export async function isPacked(path: string): Promise<boolean> {
  const handle = await open(path, READING).catch(() => undefined);
  if (!handle) return false;
  try {
    const start = new Uint8Array(MAGIC.length);
    return (await fill(handle, 0, start)) === MAGIC.length && MAGIC.equals(start);
  } catch {
    return false; // it is a folder
  } finally {
    await handle.close();
  }
}

/**
 * Reads a packed file. Throws Unreadable if it is none or is damaged, E_MEMORY, and the system's error if it cannot be
 * read.
 */
export async function readPacked(path: string): Promise<Packed> {
  const handle = await open(path, READING);
  try {
    const status = await handle.stat();
    if (!status.isFile()) throw new Unreadable('is not a file');
    return await new Reader(handle, status.size).read();
  } finally {
    await handle.close();
  }
}

class Reader {
  private at = 0;
  private readonly hash: Hash = createHash('sha256');

  constructor(
    private readonly handle: FileHandle,
    private readonly size: number,
  ) {}

  async read(): Promise<Packed> {
    const start = await this.next(START_BYTES);
    if (!MAGIC.equals(start.subarray(0, MAGIC.length))) throw new Unreadable('is not a file of packed images');
    const length = start.readUInt32LE(MAGIC.length);
    if (length > MOST_HEADER_BYTES) throw damaged();
    const { sets, ...header } = headerOf(await this.next(length));
    const pixels = header.height * header.width * header.channels;
    const declared = sets.reduce(
      (sum, { count, hasLabels, idsBytes }) => sum + count * (pixels + (hasLabels ? 2 : 0)) + idsBytes,
      this.at + HASH_BYTES,
    );
    if (declared !== this.size) throw new Unreadable(`is damaged: it has ${this.size} bytes and declares ${declared}`);
    const read: PackedSet[] = [];
    for (const set of sets) {
      const labels = set.hasLabels ? labelsOf(await this.next(2 * set.count)) : undefined;
      const ids = set.idsBytes === 0 ? undefined : idsOf(await this.next(set.idsBytes), set.count);
      read.push({ labels, ids, store: await this.pixels(set, pixels) });
    }
    const expected = this.hash.digest();
    if (!expected.equals(await this.next(HASH_BYTES))) throw damaged();
    return { ...header, sets: read };
  }

  private async next(length: number): Promise<Buffer> {
    if (length > this.size - this.at) throw damaged();
    const bytes = Buffer.alloc(length);
    if ((await fill(this.handle, this.at, bytes)) < length) throw damaged();
    // The hash at the end covers what is before it.
    if (this.at + length <= this.size - HASH_BYTES) this.hash.update(bytes);
    this.at += length;
    return bytes;
  }

  private async pixels({ count, sha256 }: z.infer<typeof setSchema>, pixels: number): Promise<ImageStore> {
    const store = ImageStore.allocate(count, pixels);
    const hash = createHash('sha256');
    let hashed: Uint8Array = new Uint8Array();
    for (const view of store.views()) {
      for (let from = 0; from < view.length; from += PIECE_BYTES) {
        const piece = view.subarray(from, from + PIECE_BYTES);
        const reading = fill(this.handle, this.at, piece);
        hash.update(hashed); // while the next piece is read
        if ((await reading) < piece.length) throw damaged();
        this.at += piece.length;
        hashed = piece;
      }
    }
    if (hash.update(hashed).digest('hex') !== sha256) throw damaged();
    store.hasSha256(sha256);
    return store;
  }
}

const damaged = (): Unreadable => new Unreadable('is damaged');

function headerOf(bytes: Buffer): z.infer<typeof headerSchema> {
  const { data, error } = headerSchema.safeParse(json(bytes));
  if (error) throw new Unreadable(`is damaged: ${error.issues[0]?.message}`);
  return data;
}

function labelsOf(bytes: Buffer): Uint16Array {
  return Uint16Array.from({ length: bytes.length / 2 }, (_, i) => bytes.readUInt16LE(2 * i));
}

function idsOf(bytes: Buffer, count: number): readonly string[] {
  const ids = json(bytes);
  if (!Array.isArray(ids) || ids.length !== count || !ids.every((id) => typeof id === 'string')) throw damaged();
  return ids;
}

function json(bytes: Buffer): unknown {
  try {
    return parseJson(bytes.toString('utf8'));
  } catch {
    throw damaged();
  }
}
