// Owns the folders that tests write to: new ones among the system's temporary files, which are gone afterwards.
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

const newPath = (name: string): string => join(tmpdir(), `pseudolabel-${name}-${randomUUID()}`);

/** One for all tests of the file. It is there when they begin, so that a file whose tests are only listed or skipped leaves none. */
export function folderOfFile(name: string): string {
  const folder = newPath(name);
  beforeAll(() => void mkdirSync(folder, { mode: 0o700 }));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** One for the test that asks for it, or that a beforeEach() asks for it. */
export function folderOfTest(name: string): string {
  const folder = newPath(name);
  mkdirSync(folder, { mode: 0o700 });
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
