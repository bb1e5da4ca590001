// Checkpoints: the complete state of a run between two steps. A run that continues from a checkpoint has the same bits
// as one that never stopped.
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { z } from 'zod';
import { PseudolabelError } from '../errors.js';
import { whyNotRead } from '../files/read.js';
import { removeFiles, removeTemporary } from '../files/remove.js';
import { makeFolder, writeIn } from '../files/write.js';
import { isSystemError } from '../files/write-errors.js';
import { differencesOf } from '../json-differences.js';
import type { MethodState } from '../methods/method.js';
import type { TrainingState } from '../training/executor.js';
import { DamagedFile, OtherFormat, type Promised, seal, unseal } from './container.js';

/** Everything on which the weights of a run depend. */
export interface Identity {
  /** The config, as any JSON value. */
  readonly config: unknown;
  readonly seed: number;
  readonly shards: number;
  readonly dataSha256: string;
}

export interface Checkpoint {
  readonly stage: number;
  /** The steps of the stage that are done. */
  readonly step: number;
  /** The state of the stage's method (methods/method.ts). */
  readonly methodState: MethodState;
  readonly identity: Identity;
  /** The numerics fingerprint of the machine that computed it, or 'unknown' in files of older versions. */
  readonly numerics: string;
  readonly state: TrainingState;
  /** Counters that continue in a resumed run, such as seconds per phase, as any JSON values. */
  readonly progress: Readonly<Record<string, unknown>>;
}

/** Matches the file name of a checkpoint, with its stage and its step. */
export const CHECKPOINT_FILE = /^checkpoint-(\d+)-(\d+)\.plck$/;

/** What a checkpoint declares before its arrays are read. */
export interface PromisedArrays extends Pick<Promised, 'lengths'>, Pick<Checkpoint, 'stage' | 'methodState'> {}

const COUNT = z.int().nonnegative();
const SHARES = z.array(z.number().min(0).max(1)).min(1);
const CONTENT = z.strictObject({
  stage: COUNT,
  step: COUNT,
  methodState: z.record(z.string(), SHARES),
  identity: z.strictObject({ config: z.unknown(), seed: z.number(), shards: COUNT, dataSha256: z.string() }),
  numerics: z.string().default('unknown'),
  progress: z.record(z.string(), z.unknown()),
});
const STATE = z.strictObject({
  parameters: z.instanceof(Float32Array),
  firstMoment: z.instanceof(Float32Array),
  secondMoment: z.instanceof(Float32Array),
  average: z.instanceof(Float32Array).exactOptional(),
  pseudoLabels: z.instanceof(Uint16Array),
  confidences: z.instanceof(Float32Array),
});

/**
 * Saves a checkpoint as checkpoint-<stage>-<step>.plck in `folder`, and returns its path. The state must not change
 * meanwhile. Afterwards the folder holds the last `keep` checkpoints (at least one) up to this one. Those of later
 * steps are removed: they exist only if the run was resumed from an older checkpoint, for example because they were
 * damaged.
 * @throws PseudolabelError E_OUTPUT
 */
export async function saveCheckpoint(folder: string, checkpoint: Checkpoint, keep: number): Promise<string> {
  const { state, ...content } = checkpoint;
  const name = fileNameOf(checkpoint);
  await makeFolder(folder);
  // The files that killed processes left are removed first, because the disk may need the space.
  await removeTemporary(folder, { '': CHECKPOINT_FILE });
  await writeIn(folder, name, seal(content, { ...state }));
  const saved = inOrder(await namesIn(folder));
  const end = saved.indexOf(name) + 1;
  await removeFiles(folder, [...saved.slice(0, Math.max(0, end - Math.max(1, keep))), ...saved.slice(end)]);
  return join(folder, name);
}

/**
 * Returns the path of the newest checkpoint of a run directory or of its checkpoints folder, or undefined if there is
 * none.
 */
export async function latestCheckpoint(folder: string): Promise<string | undefined> {
  for (const place of [folder, join(folder, 'checkpoints')]) {
    const last = inOrder(await namesIn(place)).at(-1);
    if (last !== undefined) return join(place, last);
  }
  return undefined;
}

/**
 * Loads a checkpoint: the given file, or the newest one of the given run directory or checkpoints folder.
 * @param expected what the run to be continued depends on
 * @param fits returns whether arrays of such lengths, and such a state of the method, belong to the run; it is called
 * before memory is allocated
 * @throws PseudolabelError E_CHECKPOINT_MISSING, E_CHECKPOINT_DAMAGED, and E_CHECKPOINT_MISMATCH naming every
 * difference from `expected`
 */
export async function loadCheckpoint(
  path: string,
  expected: Identity,
  fits: (arrays: PromisedArrays) => boolean = () => true,
): Promise<Checkpoint> {
  const file = await find(path);
  const checkpoint = await read(file, fits);
  const differing = differencesOf(checkpoint.identity, expected).map(
    ({ at, was, is }) => `${at} is ${was} in the checkpoint, ${is} now`,
  );
  if (differing.length === 0) return checkpoint;
  throw new PseudolabelError(
    'E_CHECKPOINT_MISMATCH',
    `${file} belongs to another run: ${differing.join('; ')}`,
    'Continue it with the config, seed, shards and data set that it began with, or start a new run in another folder.',
  );
}

function fileNameOf({ stage, step }: Checkpoint): string {
  return `checkpoint-${String(stage).padStart(2, '0')}-${String(step).padStart(8, '0')}.plck`;
}

/** Returns the names of checkpoints among `names`, oldest first. */
function inOrder(names: readonly string[]): string[] {
  const placed = names.flatMap((name) => {
    const [, stage, step] = CHECKPOINT_FILE.exec(name) ?? [];
    return stage === undefined ? [] : [{ name, stage: Number(stage), step: Number(step) }];
  });
  return placed.sort((a, b) => a.stage - b.stage || a.step - b.step).map(({ name }) => name);
}

async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((error: unknown) => {
    if (isSystemError(error) && ['ENOENT', 'ENOTDIR'].includes(error.code)) return [];
    throw isSystemError(error) ? missing(folder, error) : error;
  });
}

async function find(path: string): Promise<string> {
  const found = await stat(path).catch((cause: unknown) => {
    throw missing(path, cause);
  });
  if (found.isFile()) return path;
  const latest = await latestCheckpoint(path);
  if (latest === undefined) throw missing(path, new Error('no file checkpoint-*.plck in it'));
  return latest;
}

function missing(path: string, cause: unknown): PseudolabelError {
  const message = `There is no checkpoint at ${path}: ${whyNotRead(cause)}`;
  const fix = 'Give a run directory, its checkpoints folder, or one of the files in it.';
  return new PseudolabelError('E_CHECKPOINT_MISSING', message, fix, { cause });
}

async function read(path: string, fits: (arrays: PromisedArrays) => boolean): Promise<Checkpoint> {
  try {
    const { content, arrays } = await unseal(path, ({ content, lengths }) => {
      const { stage, methodState } = CONTENT.parse(content);
      if (!fits({ stage, methodState, lengths }))
        throw new DamagedFile('has arrays that are not those of its run, or another state of its method');
    });
    return { ...CONTENT.parse(content), state: STATE.parse(Object.fromEntries(arrays)) };
  } catch (error) {
    if (error instanceof OtherFormat) throw otherFormat(path, error);
    if (error instanceof DamagedFile) throw await damaged(path, `is damaged: it ${error.message}`, error);
    if (error instanceof z.ZodError) throw await damaged(path, 'is not the checkpoint of a training run', error);
    if (isSystemError(error)) throw await damaged(path, `cannot be read: ${whyNotRead(error)}`, error);
    throw error;
  }
}

function otherFormat(path: string, cause: OtherFormat): PseudolabelError {
  const message = `${path} was written by another version of pseudolabel, or is damaged: it ${cause.message}`;
  const fix = 'Continue the run with the version that began it, or start a new run in another folder.';
  return new PseudolabelError('E_CHECKPOINT_DAMAGED', message, fix, { cause });
}

/**
 * Makes the error for a damaged file. It names an older checkpoint, and leaves the decision to the user, because going
 * back costs the steps between them.
 */
async function damaged(path: string, reason: string, cause: Error): Promise<PseudolabelError> {
  const names = inOrder(await namesIn(dirname(path)));
  const older = names[names.indexOf(basename(path)) - 1];
  const fix =
    older === undefined
      ? 'There is no older one beside it: start a new run.'
      : `To continue from the one before it, name it: ${join(dirname(path), older)}`;
  return new PseudolabelError('E_CHECKPOINT_DAMAGED', `${path} ${reason}`, fix, { cause });
}
