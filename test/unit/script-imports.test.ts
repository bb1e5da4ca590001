// Tests that what scripts and examples import from the build is there: no compiler checks them.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const IMPORT = /import\s*(?:type\s*)?\{([^}]*)\}\s*from\s*'(\.[^']*\/dist\/[^']+)'/g;

const scripts = readdirSync(join(ROOT, 'scripts'), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => join(ROOT, 'scripts', file));

/** Returns the names that a script imports from each module of the build, with the module's source. */
function importsOf(script: string): { readonly source: string; readonly name: string }[] {
  const text = readFileSync(script, 'utf8');
  return [...text.matchAll(IMPORT)].flatMap(([, names = '', from = '']) => {
    const built = relative(join(ROOT, 'dist'), join(dirname(script), from));
    const source = join(ROOT, built.replace(/\.js$/, '.ts'));
    return names
      .split(',')
      .map((name) => name.trim().split(/\s+as\s+/)[0]!)
      .filter((name) => name !== '')
      .map((name) => ({ source, name }));
  });
}

const isExported = (source: string, name: string): boolean =>
  existsSync(source) &&
  new RegExp(`export\\s+(?:async\\s+)?(?:function|const|class|let)\\s+${name}\\b|export\\s*\\{[^}]*\\b${name}\\b`).test(
    readFileSync(source, 'utf8'),
  );

it('scripts import only what the modules of the build export', () => {
  const imports = scripts.flatMap((script) => importsOf(script).map((one) => ({ script, ...one })));
  expect(imports.length).toBeGreaterThan(50);
  const missing = imports.filter(({ source, name }) => !isExported(source, name));
  expect(
    missing.map(({ script, source, name }) => `${relative(ROOT, script)}: ${name} of ${relative(ROOT, source)}`),
  ).toEqual([]);
});
