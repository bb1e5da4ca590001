// What goes to which stream, and which control characters may be among it.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
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
