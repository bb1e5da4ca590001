// Reads and writes a run directory: config.json, metrics.jsonl, checkpoints/, the files for reports, and at the end
// result.json and model/.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { CHECKPOINT_FILE } from '../../src/checkpoint/checkpoint.js';
import { PseudolabelError } from '../../src/errors.js';
import { readJson } from '../../src/files/read.js';
import { removeTemporary } from '../../src/files/remove.js';
import { makeFolder, refuseLinks, writeIn } from '../../src/files/write.js';
import { cannotWrite } from '../../src/files/write-errors.js';
import type { RunConfig } from '../../src/training/config.js';
import type { Position } from '../train.js';
import { FolderLock, LOCK_FILE } from './lock.js';
import { dropMetricsFrom, MetricsLog } from './metrics-log.js';
import type { Metric, RunResult } from './result.js';

/** The files for reports. */
const KEPT = [
  'data.json',
  'machine.json',
  'mistakes.json',
  'reconstructions.json',
  'views.json',
  'doubtful.json',
] as const;
const FILES: readonly string[] = [...KEPT, 'config.json', 'result.json', 'metrics.jsonl', 'report.html'];

/** The files that the program writes in the directory itself, and in the folders in it. */
const PLACES = {
  '': new RegExp(`^(${FILES.map((name) => name.replace('.', '\\.')).join('|')})$`),
  checkpoints: CHECKPOINT_FILE,
  model: /^(model\.json|weights\.bin)$/,
  plots: /^[\w-]+\.svg$/,
} as const;
const isOurs = (name: string): boolean => name in PLACES || FILES.includes(name) || name.startsWith('events.out.');

/**
 * Returns whether a file of that name belongs to a run and must not be overwritten. Reports may be overwritten, because
 * they can be made again.
 */
export const isRunFile = (name: string): boolean =>
  name !== 'report.html' && Object.entries(PLACES).some(([place, names]) => place !== 'plots' && names.test(name));

export class RunDirectory {
  readonly checkpoints: string;
  private readonly metrics: MetricsLog;

  private constructor(
    readonly path: string,
    private readonly lock: FolderLock,
  ) {
    this.checkpoints = join(path, 'checkpoints');
    this.metrics = new MetricsLog(path, lock);
  }

  /** Makes the directory of a new run. Throws E_OUTPUT if the folder is not empty or cannot be made, and E_LOCKED. */
  static async create(path: string, config: RunConfig): Promise<RunDirectory> {
    await makeFolder(path);
    const found = await namesIn(path);
    // If two processes begin at the same time, the second one is told which one was faster.
    if (found.includes(LOCK_FILE)) await (await FolderLock.take(path)).release();
    if (found.length > 0) throw notEmpty(path);
    const lock = await FolderLock.take(path);
    try {
      if ((await namesIn(path)).some((name) => name !== LOCK_FILE)) throw notEmpty(path); // A non-empty folder means that another process was faster.
      const directory = new RunDirectory(path, lock);
      await makeFolder(directory.checkpoints);
      await writeIn(path, 'config.json', `${JSON.stringify(config, null, 2)}\n`);
      return directory;
    } catch (error) {
      await lock.release();
      throw error;
    }
  }

  /**
   * Opens the directory of a run that is resumed. Drops the lines of metrics from `position` on, because they will be
   * written again.
   */
  static async reopen(
    path: string,
    stageNames: readonly string[],
    position: Pick<Position, 'stage' | 'step'>,
    lock: FolderLock,
  ): Promise<RunDirectory> {
    const directory = new RunDirectory(path, lock);
    for (const name of await namesIn(path)) if (isOurs(name)) await refuseLinks(path, name);
    await removeTemporary(path, PLACES);
    await dropMetricsFrom(path, stageNames, position);
    return directory;
  }

  /** Reads the config of a run that was begun here. Throws E_CHECKPOINT_MISSING if there is none. */
  static async configOf(path: string): Promise<unknown> {
    try {
      return await readJson(join(path, 'config.json'));
    } catch (cause) {
      const fix = 'give the --out folder of an earlier run';
      throw new PseudolabelError(
        'E_CHECKPOINT_MISSING',
        `${path} is no run directory: it has no config.json that can be read`,
        fix,
        { cause },
      );
    }
  }

  /** Returns whether a run was begun here. */
  static isAt(path: string): boolean {
    return existsSync(join(path, 'config.json'));
  }

  /** Returns the result of a run that ended here, or undefined if it has not ended. */
  static async resultOf(path: string): Promise<RunResult | undefined> {
    const file = join(path, 'result.json');
    if (!existsSync(file)) return undefined;
    try {
      return (await readJson(file)) as RunResult;
    } catch (cause) {
      const fix = 'remove the file and --resume the run: it goes on at its last checkpoint';
      throw new PseudolabelError('E_CHECKPOINT_DAMAGED', `${file} cannot be read`, fix, { cause });
    }
  }

  /** Adds a line to metrics.jsonl. */
  append(metric: Metric): void {
    this.metrics.append(metric);
  }

  /** Resolves when all metrics so far are in the file. */
  flush(): Promise<void> {
    return this.metrics.flush();
  }

  /** Releases the lock, so that other processes may resume the run. */
  close(): Promise<void> {
    return this.lock.release();
  }

  /** Writes a JSON file for reports. */
  keep(name: (typeof KEPT)[number], value: object): Promise<void> {
    return writeIn(this.path, name, `${JSON.stringify(value)}\n`);
  }

  /** Writes result.json and, by `saveModel`, the folder model/. */
  async finish(result: RunResult, saveModel: (folder: string) => Promise<void>): Promise<void> {
    await this.flush();
    await refuseLinks(this.path, 'model');
    await saveModel(join(this.path, 'model'));
    await writeIn(this.path, 'result.json', `${JSON.stringify(result, null, 2)}\n`);
  }
}

async function namesIn(path: string): Promise<string[]> {
  return readdir(path).catch((error: unknown) => {
    throw cannotWrite(path, error);
  });
}

function notEmpty(path: string): PseudolabelError {
  return new PseudolabelError('E_OUTPUT', `${path} is not empty`, 'give another --out, or --resume this one');
}
