// Tests that each name of the library has a docstring, which users see in their editor.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const LIBRARY = fileURLToPath(new URL('../../../coordinator/library.ts', import.meta.url));

/** The names that the library exports, and the file of each. */
const exported = [...readFileSync(LIBRARY, 'utf8').matchAll(/^export (?:type )?\{([^}]*)\} from '([^']+)';/gm)].flatMap(
  ([, names, from]) =>
    names!
      .split(',')
      .map((name) => name.replace(/^\s*(?:type )?/, '').trim())
      .filter((name) => name !== '')
      .map((name) => [name, join(dirname(LIBRARY), from!.replace(/\.js$/, '.ts'))] as const),
);

it.each(exported)('%s has a docstring', (name, path) => {
  const declaration = new RegExp(`(\\*/\\n)?export (?:async )?(?:function\\*?|interface|type|class|const) ${name}\\b`);
  const [found, documented] = declaration.exec(readFileSync(path, 'utf8')) ?? [];
  expect(found, `${name} is not declared in ${path}`).toBeDefined();
  expect(documented, `${name} has none`).toBeDefined();
});

it('there are such names', () => {
  expect(exported.length).toBeGreaterThan(20);
});
