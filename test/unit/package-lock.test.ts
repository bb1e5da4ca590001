// Tests that what is installed is what was locked, bit for bit, from any registry and on any platform.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

interface Entry {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
}

const LOCK = new URL('../../package-lock.json', import.meta.url);
const { packages } = JSON.parse(readFileSync(LOCK, 'utf8')) as { packages: Readonly<Record<string, Entry>> };
const installed = Object.entries(packages).filter(([path]) => path !== '');

it('every locked package has a version and the hash of its content, those of other platforms too (case S7)', () => {
  const unchecked = installed.filter(
    ([, { version, integrity }]) => !version || !/^sha512-\S{86}==$/.test(integrity ?? ''),
  );
  expect(unchecked.map(([path]) => path)).toEqual([]);
  expect(installed.length).toBeGreaterThan(300);
});

it('no locked package names the registry that it came from', () => {
  expect(installed.filter(([, { resolved }]) => resolved !== undefined)).toEqual([]);
});
