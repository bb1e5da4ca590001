// Writes metrics.jsonl in a run directory, a line for each metric, and drops the lines that a resumed run writes again.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MOST_TEXT_BYTES, parseJson, readText } from '../../src/files/read.js';
import { appendTo, writeIn } from '../../src/files/write.js';
import type { Position } from '../train.js';
import type { FolderLock } from './lock.js';
import type { Metric } from './result.js';

const FILE = 'metrics.jsonl';

/** The number of lines of metrics.jsonl that are kept in memory before they are written. */
const BUFFERED_LINES = 100;

export class MetricsLog {
  private lines: string[] = [];
  private writing: Promise<void> = Promise.resolve();

  /** path: the run directory. lock: is checked before each write. */
  constructor(
    private readonly path: string,
    private readonly lock: FolderLock,
  ) {}

  append(metric: Metric): void {
    this.lines.push(`${JSON.stringify(metric)}\n`);
    // A failure is not lost: the next flush rejects too, and there is one before anything is saved.
    if (this.lines.length >= BUFFERED_LINES) this.flush().catch(() => undefined);
  }

  /** Resolves when all metrics so far are in the file. */
  flush(): Promise<void> {
    const text = this.lines.join('');
    this.lines = [];
    const file = join(this.path, FILE);
    this.writing = this.writing.then(async () => {
      await this.lock.check();
      if (text !== '') await appendTo(file, text);
    });
    return this.writing;
  }
}

/** Drops the lines from `position` on. path: the run directory. */
export async function dropMetricsFrom(
  path: string,
  stageNames: readonly string[],
  position: Pick<Position, 'stage' | 'step'>,
): Promise<void> {
  const file = join(path, FILE);
  if (!existsSync(file)) return;
  const isBefore = (line: string): boolean => {
    const { stage, step } = parseJson(line) as Metric;
    const s = stageNames.indexOf(stage);
    return s < position.stage || (s === position.stage && step < position.step);
  };
  const lines = (await readText(file, MOST_TEXT_BYTES)).split('\n').filter((line) => line.endsWith('}'));
  await writeIn(
    path,
    FILE,
    lines
      .filter(isBefore)
      .map((line) => `${line}\n`)
      .join(''),
  );
}
