// Tests that docs/errors.md lists every error code.
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.js';

it('docs/errors.md lists every code with its exit code and meaning', () => {
  const listed = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| E_'))
    .map((line) => line.replace(/ +/g, ' '));
  const codes = Object.entries(ERROR_CODES).map(([code, { exit, means }]) => `| ${code} | ${exit} | ${means} |`);
  expect(listed).toEqual(codes);
});
