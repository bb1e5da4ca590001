// Decodes the images of all sets into stores. All are expected to have the size of the first image, and to be grey if
// it is grey. Another size ends the work with an error that proposes one. A colour image makes the work begin again in
// colour.
import { basename, dirname } from 'node:path';
import { ImageStore } from '../src/data/image-store.js';
import type { Size } from '../src/data/options.js';
import type { DecodingLoss } from '../src/data/pictures/raw.js';
import type { FoundSet } from '../src/data/source.js';
import { checkRoom } from '../src/data/sources/room.js';
import { PseudolabelError } from '../src/errors.js';
import { counted, whole } from '../src/format.js';
import type { DecodeResult, DecodeTask } from './decode-entry.js';
import { type DecodePool, summed } from './decode-pool.js';

/**
 * The images of each of the first tasks. Waking a thread takes as long as decoding ten small images, so tasks of small
 * images become larger.
 */
const TASK_PICTURES = 64;
const MOST_TASK_PICTURES = 1024;
/** A task that takes longer does not become larger, because progress is told after each task. */
const LONG_TASK_MS = 20;
/** The number of images whose sizes are looked at for a proposal. */
const SAMPLE = 256;
/** The largest size that is proposed. A network on more pixels is slow, and seldom better. */
const PROPOSED = 64;
const MOST_TOLD = 3;

export interface DecodedSets extends Size {
  readonly channels: number;
  readonly sets: readonly {
    readonly store: ImageStore;
    /** The positions of the images in the store, if some were left out. */
    readonly kept: readonly number[] | undefined;
  }[];
  readonly notes: readonly string[];
}

interface Help {
  readonly pool: DecodePool;
  readonly progress: ((done: number, of: number) => void) | undefined;
}

interface Bad {
  readonly set: number;
  readonly picture: number;
  readonly why: string;
}

/** The result of a pass over all images. */
interface Pass {
  readonly bad: readonly Bad[];
  readonly grey: number;
  readonly losses: Readonly<Partial<Record<DecodingLoss, number>>>;
  /** An image of another size, or of colour when grey was expected. The pass ended there. */
  readonly ended: { readonly set: number; readonly picture: number } | 'colour' | undefined;
}

/** Decodes all sets. Throws E_DATA_IMAGE, E_DATA_SHAPE, and the errors of the pool. */
export async function decodeSets(
  sets: readonly FoundSet[],
  size: Size | undefined,
  skipBad: boolean,
  help: Help,
): Promise<DecodedSets> {
  const first = await firstOf(sets, help.pool);
  let target = { ...(size ?? first), channels: first.channels };
  for (;;) {
    const { height, width, channels } = target;
    const pixels = height * width * channels;
    const count = sets.reduce((sum, set) => sum + set.count, 0);
    checkRoom(sets[0]!.path, count, pixels); // Photographs of a camera soon need more memory than a machine has.
    const stores = sets.map((set) => ImageStore.allocate(set.count, pixels));
    const pass = await passOver(sets, stores, target, size !== undefined, help);
    if (pass.ended === 'colour') target = { ...target, channels: 3 };
    else if (pass.ended) throw await sizesDiffer(sets, target, pass.ended, help.pool);
    else return whatIsLeft(sets, stores, target, pass, { size, skipBad });
  }
}

/** Returns the size of the first image that can be decoded. */
async function firstOf(sets: readonly FoundSet[], pool: DecodePool): Promise<Size & { channels: number }> {
  const bad: Bad[] = [];
  for (const [s, set] of sets.entries()) {
    for (let first = 0; first < set.count; first += 1) {
      const task = await taskOf(set, first, first + 1, undefined, false);
      const result = await pool.run(task);
      const [name] = Object.keys(result.sizes);
      if (name !== undefined) return { ...sizeNamed(name), channels: result.colour > 0 ? 3 : 1 };
      bad.push({ set: s, picture: first, why: result.bad[0]!.why });
    }
  }
  throw cannotDecode(sets, bad, true);
}

function sizeNamed(name: string): Size {
  const [height, width] = name.split('x').map(Number) as [number, number];
  return { height, width };
}

async function taskOf(
  { images }: FoundSet,
  first: number,
  end: number,
  target: DecodeTask['target'],
  resizes: boolean,
): Promise<DecodeTask> {
  const rest = { first, target, resizes };
  if (images.kind === 'plain') {
    const { height, width, channels, store } = images;
    return { ...rest, pictures: { height, width, channels, store: partsOf(store), first, count: end - first } };
  }
  const pictures = Array.from({ length: end - first }, (_, i) => images.picture(first + i));
  return { ...rest, pictures: await Promise.all(pictures) };
}

const partsOf = ({ count, pixels, blocks }: ImageStore) => ({ count, pixels, blocks });

async function passOver(
  sets: readonly FoundSet[],
  stores: readonly ImageStore[],
  target: Size & { readonly channels: number },
  resizes: boolean,
  { pool, progress }: Help,
): Promise<Pass> {
  const of = sets.reduce((sum, { count }) => sum + count, 0);
  const bad: Bad[] = [];
  let losses: Partial<Record<DecodingLoss, number>> = {};
  let [done, grey] = [0, 0];
  let ended: Pass['ended'];
  const cut = cutOf(sets);
  const take = async (): Promise<void> => {
    let most = TASK_PICTURES;
    for (let part = cut(most); part && ended === undefined; part = cut(most)) {
      const { set, first, end } = part;
      const store = { store: partsOf(stores[set]!), ...target };
      const result = await pool.run(await taskOf(sets[set]!, first, end, store, resizes));
      if (result.milliseconds < LONG_TASK_MS) most = Math.min(2 * most, MOST_TASK_PICTURES);
      bad.push(...result.bad.map(({ picture, why }) => ({ set, picture: first + picture, why })));
      losses = summed(losses, result.losses);
      grey += result.grey;
      ended ??= endOf(result, target.channels, set, first);
      done += end - first;
      progress?.(done, of);
    }
  };
  // Each thread gets two tasks, so that it never waits for the next one.
  await Promise.all(Array.from({ length: 2 * pool.size }, take));
  bad.sort((a, b) => a.set - b.set || a.picture - b.picture);
  return { bad, grey, losses, ended };
}

/** Returns a function that gives the next images of one set, up to a number. */
function cutOf(sets: readonly FoundSet[]) {
  let [set, next] = [0, 0];
  return (most: number) => {
    while (set < sets.length && next === sets[set]!.count) [set, next] = [set + 1, 0];
    if (set === sets.length) return undefined;
    const first = next;
    next = Math.min(sets[set]!.count, first + most);
    return { set, first, end: next };
  };
}

function endOf(result: DecodeResult, channels: number, set: number, first: number): Pass['ended'] {
  if (result.otherSize !== undefined) return { set, picture: first + result.otherSize };
  return result.colour > 0 && channels === 1 ? 'colour' : undefined;
}

const idOf = ({ ids, path }: FoundSet, picture: number): string => ids?.[picture] ?? `image ${picture} of ${path}`;

/**
 * Makes the error about different sizes. From a sample of all images it proposes the commonest size if that is small
 * and most images have it, or else one of the usual proportions.
 */
async function sizesDiffer(
  sets: readonly FoundSet[],
  { height, width }: Size,
  { set, picture }: { readonly set: number; readonly picture: number },
  pool: DecodePool,
): Promise<PseudolabelError> {
  let sizes: Readonly<Record<string, number>> = {};
  for (const each of sets) {
    const stride = Math.max(1, Math.floor((sets.length * each.count) / SAMPLE));
    for (let first = 0; first < each.count; first += stride)
      sizes = summed(sizes, (await pool.run(await taskOf(each, first, first + 1, undefined, false))).sizes);
  }
  const other = await pool.run(await taskOf(sets[set]!, picture, picture + 1, undefined, false));
  const [found] = Object.keys(other.sizes);
  const proposal = proposedOf(sizes);
  return new PseudolabelError(
    'E_DATA_SHAPE',
    `the pictures have different sizes: ${idOf(sets[set]!, picture)} is ${found}, others are ${height}x${width} (height x width)`,
    `Say to what all are resized: --size ${proposal.height}x${proposal.width}, for example.`,
  );
}

export function proposedOf(sizes: Readonly<Record<string, number>>): Size {
  const all = Object.entries(sizes).map(([name, count]) => ({ ...sizeNamed(name), count }));
  const total = all.reduce((sum, { count }) => sum + count, 0);
  const [commonest] = all.sort((a, b) => b.count - a.count || a.height * a.width - b.height * b.width);
  const { height, width, count } = commonest!;
  if (2 * count >= total && Math.max(height, width) <= PROPOSED) return { height, width };
  const middle = (of: 'height' | 'width'): number => {
    const values = all.flatMap((each) => Array<number>(each.count).fill(each[of])).sort((a, b) => a - b);
    return values[values.length >> 1]!;
  };
  const [h, w] = [middle('height'), middle('width')];
  const scale = Math.min(1, PROPOSED / Math.max(h, w));
  return { height: Math.max(1, Math.round(h * scale)), width: Math.max(1, Math.round(w * scale)) };
}

function whatIsLeft(
  sets: readonly FoundSet[],
  stores: readonly ImageStore[],
  target: Size & { readonly channels: number },
  { bad, grey, losses }: Pass,
  { size, skipBad }: { readonly size: Size | undefined; readonly skipBad: boolean },
): DecodedSets {
  const isEmpty = sets.some(({ count }, s) => bad.filter(({ set }) => set === s).length === count);
  if (bad.length > 0 && (!skipBad || isEmpty)) throw cannotDecode(sets, bad, isEmpty);
  const { height, width, channels } = target;
  const isAre = (count: number): string => `${counted(count, 'picture')} ${count === 1 ? 'has' : 'have'}`;
  const { alpha = 0, depth = 0, frames = 0 } = losses;
  const notes = [
    size && `all pictures are resized to ${height}x${width} (height x width), whatever their proportions`,
    channels === 3 &&
      grey > 0 &&
      `${counted(grey, 'grey picture')} ${grey === 1 ? 'stands' : 'stand'} in colour, since others have colours`,
    alpha > 0 && `${isAre(alpha)} transparent parts: what is behind them is black`,
    depth > 0 && `${isAre(depth)} more than 8 bits a value: they are reduced to 8`,
    frames > 0 && `${isAre(frames)} several frames or pages: the first is taken`,
    bad.length > 0 && `left out: ${counted(bad.length, 'picture')} that cannot be decoded, ${told(sets, bad)}`,
  ];
  return {
    height,
    width,
    channels,
    sets: stores.map((store, s) =>
      without(store, new Set(bad.flatMap(({ set, picture }) => (set === s ? [picture] : [])))),
    ),
    notes: notes.filter((note) => typeof note === 'string'),
  };
}

/** Moves the images that are left up, in the same memory. */
function without(store: ImageStore, bad: ReadonlySet<number>): DecodedSets['sets'][number] {
  if (bad.size === 0) return { store, kept: undefined };
  const kept: number[] = [];
  for (let i = 0; i < store.count; i++) {
    if (bad.has(i)) continue;
    if (kept.length < i) store.at(kept.length).set(store.at(i));
    kept.push(i);
  }
  return { store: new ImageStore(kept.length, store.pixels, store.blocks), kept };
}

function told(sets: readonly FoundSet[], bad: readonly Bad[]): string {
  const first = bad.slice(0, MOST_TOLD).map(({ set, picture, why }) => `${idOf(sets[set]!, picture)} (${why})`);
  return first.join(', ') + (bad.length > MOST_TOLD ? ' and others' : '');
}

function cannotDecode(sets: readonly FoundSet[], bad: readonly Bad[], isEmpty: boolean): PseudolabelError {
  const { set: s, picture } = bad[0]!;
  const { path: ofSet } = sets[s]!;
  // Names begin at the folder of the data, and the path must not repeat that folder.
  const path = idOf(sets[s]!, picture).startsWith(`${basename(ofSet)}/`) ? dirname(ofSet) : ofSet;
  const of = sets.reduce((sum, { count }) => sum + count, 0);
  return new PseudolabelError(
    'E_DATA_IMAGE',
    `${path}: ${whole(bad.length)} of ${counted(of, 'picture')} cannot be decoded: ${told(sets, bad)}`,
    isEmpty
      ? 'Check that these are whole PNG, JPEG, WebP, GIF, TIFF or BMP files: none would be left.'
      : 'Put good copies in their place, or move them away; --skip-bad leaves them out.',
  );
}
