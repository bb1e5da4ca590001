// Tests that each known fault is named by a test, and that no test names an unknown fault.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { CASES } from '../cases.js';

const TESTS = fileURLToPath(new URL('..', import.meta.url));

/** "(cases 3, 4 and S8)" names three cases. */
const named = readdirSync(TESTS, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .flatMap((file) => {
    const text = readFileSync(join(TESTS, file), 'utf8');
    return [...text.matchAll(/\(cases? ([^)]+)\)['"`]/g)].flatMap(([, list = '']) =>
      [...list.matchAll(/S?\d+/g)].map(([id]) => id),
    );
  });

it('every known fault is named by the title of a test that proves it is gone', () => {
  expect(Object.keys(CASES).filter((id) => !named.includes(id))).toEqual([]);
});

it('every case that a title names is a known fault', () => {
  expect(named.filter((id) => !(id in CASES))).toEqual([]);
});
