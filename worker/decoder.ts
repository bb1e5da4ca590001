// Decodes images to plain pixels on threads. All get one size, and are grey if all of them are. The result is cached
// (src/data/cache.ts).
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { cacheFolder, cachePath, fromCache, toCache } from '../src/data/cache.js';
import type { Decoded, Decoder } from '../src/data/load.js';
import { type DataOptions, type Size, sizeOf } from '../src/data/options.js';
import type { Packed } from '../src/data/packed.js';
import type { FoundSet, PlainImages } from '../src/data/source.js';
import { DecodePool } from './decode-pool.js';
import { type DecodedSets, decodeSets } from './decode-sets.js';

type PlainSet = FoundSet & { readonly images: PlainImages };

export interface DecoderOptions {
  /** The number of threads. Defaults to one for each core. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Is told the progress every few images. */
  readonly progress?: ((done: number, of: number) => void) | undefined;
}

export class ThreadedDecoder implements Decoder {
  constructor(private readonly options: DecoderOptions = {}) {}

  /**
   * Decodes the sets. Throws E_DATA_IMAGE, E_DATA_SHAPE, E_MEMORY, E_NATIVE, E_TIMEOUT and the reason of the signal.
   */
  async decode(sets: readonly FoundSet[], options: DataOptions): Promise<Decoded> {
    const { signal } = this.options;
    const size = sizeOf(options.size);
    const path = cachePath(options.cache ?? cacheFolder(), [
      ...[size ?? null, options.skipBad ?? false, decoderVersion()],
      ...sets.map(({ images, count }) => [count, images.kind === 'encoded' ? images.key : keyOf(images)]),
    ]);
    const cached = await fromCache(path);
    const notes = cached.note === undefined ? [] : [cached.note];
    if (cached.packed && fits(cached.packed, sets)) {
      const { packed } = cached;
      return { sets: sets.map((set, s) => plainSet(set, packed, s)), notes: [...packed.notes, ...notes] };
    }
    const packed = packedOf(await this.decoded(sets, size, options.skipBad ?? false));
    const unkept = await toCache(path, packed, signal);
    if (unkept !== undefined) notes.push(unkept);
    return { sets: sets.map((set, s) => plainSet(set, packed, s)), notes: [...packed.notes, ...notes] };
  }

  private async decoded(sets: readonly FoundSet[], size: Size | undefined, skipBad: boolean): Promise<DecodedSets> {
    const { threads, signal, progress } = this.options;
    const pool = await DecodePool.start(threads, signal);
    try {
      return await decodeSets(sets, size, skipBad, { pool, progress });
    } finally {
      await pool.close();
    }
  }
}

/** Returns the version of the library that decodes most images. Another version may give other pixels. */
function decoderVersion(): string {
  const folder = dirname(dirname(createRequire(import.meta.url).resolve('sharp')));
  return (JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string }).version;
}

/** Returns what identifies plain images, which have no file: their content. */
const keyOf = ({ height, width, channels, store }: PlainImages) => [height, width, channels, store.sha256] as const;

/** Returns the sets as they are cached. If images were left out, the ids are the positions of those that are there. */
function packedOf({ height, width, channels, sets, notes }: DecodedSets): Packed {
  return {
    name: '',
    height,
    width,
    channels,
    classNames: [],
    notes,
    sets: sets.map(({ store, kept }) => ({ store, labels: undefined, ids: kept?.map(String) })),
  };
}

const fits = ({ sets }: Packed, wanted: readonly FoundSet[]): boolean =>
  sets.length === wanted.length &&
  sets.every(({ store, ids }, s) => ids !== undefined || store.count === wanted[s]!.count);

function plainSet(set: FoundSet, { height, width, channels, sets }: Packed, s: number): PlainSet {
  const { store, ids: positions } = sets[s]!;
  const images: PlainImages = { kind: 'plain', height, width, channels, store };
  if (!positions) return { ...set, images };
  const kept = positions.map(Number);
  return {
    path: set.path,
    count: kept.length,
    images,
    ids: set.ids ? kept.map((i) => set.ids![i]!) : positions,
    labels: set.labels && kept.map((i) => set.labels![i]),
  };
}
