// Makes the folders that tests write to. They are new folders of the system for temporary files, and are removed
// afterwards.
import { randomUUID } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, onTestFinished } from 'vitest';

const newPath = (name: string): string => join(tmpdir(), `pseudolabel-${name}-${randomUUID()}`);

/**
 * Makes one folder for all tests of the file when they begin. So a file whose tests are only listed or skipped leaves
 * none.
 */
export function folderOfFile(name: string): string {
  const folder = newPath(name);
  beforeAll(() => void mkdirSync(folder, { mode: 0o700 }));
  afterAll(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Makes a folder for the test that calls this, or whose beforeEach() does. */
export function folderOfTest(name: string): string {
  const folder = newPath(name);
  mkdirSync(folder, { mode: 0o700 });
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}
