// Tests README.md and docs/: links lead somewhere, the program takes every command line, and those that no test runs
// say why.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { programOf } from '../../coordinator/commands/program.js';
import { blocksOf, callsIn, ROOT, TEXTS } from '../docs.js';
import { contextFor, terminalWith } from './terminal/streams.js';

/** Returns the anchors that GitHub makes of headings. */
const anchorsOf = (text: string): Set<string> =>
  new Set(
    Array.from(text.matchAll(/^#+ (.+)$/gm), ([, heading]) =>
      heading!
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );

/** Returns links and images of Markdown and HTML that lead to places within the repository. */
const linksOf = (text: string): string[] =>
  Array.from(
    text.replace(/```[\s\S]*?```/g, '').matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g),
    ([, link, source]) => link ?? source!,
  ).filter((link) => !/^[a-z]+:/.test(link));

describe.each(TEXTS)('$path', ({ path, text }) => {
  it('has links that lead somewhere', () => {
    for (const link of linksOf(text)) {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? path : normalize(join(dirname(path), file));
      expect(existsSync(join(ROOT, target)), `${path}: ${link}`).toBe(true);
      if (anchor) expect(anchorsOf(readFileSync(join(ROOT, target), 'utf8')), `${path}: ${link}`).toContain(anchor);
    }
  });

  it('has command lines that the program takes', async () => {
    for (const { line, text: block } of blocksOf({ path, text }))
      for (const words of callsIn(block)) {
        const program = programOf(contextFor(terminalWith(false).terminal), async () => undefined);
        for (const command of program.commands) command.action(() => undefined);
        const parsed = program.parseAsync(words, { from: 'user' });
        await expect(parsed, `${path}:${line}: pseudolabel ${words.join(' ')}`).resolves.toBeDefined();
      }
  });

  it('has its commands in blocks that a test finds', () => {
    const indented = text
      .replace(/^```[\s\S]*?^```$/gm, '')
      .match(/^ {4,}(npm run|npm start|npx pseudolabel|pseudolabel [a-z]+ ).*$/gm);
    expect(indented, 'put them between ```sh and ```').toBeNull();
  });
});

describe('commands that no test runs', () => {
  it('are few, and each says what it needs', () => {
    const skipped = TEXTS.flatMap(blocksOf).flatMap(({ path, line, reason }) =>
      reason ? [`${path}:${line}: ${reason}`] : [],
    );
    console.log(`not run: ${skipped.length} blocks\n${skipped.join('\n')}`);
    for (const each of skipped) expect(each).toMatch(/: (needs|takes|waits|joins|sets everything up)\b/);
    expect(skipped.length).toBeLessThanOrEqual(20);
  });
});
