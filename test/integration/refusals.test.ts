// What commands refuse before they load or compute anything. A data set that is not there would be the first thing to fail otherwise.
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { OUT_FOLDERS } from '../../coordinator/commands/out-folder.js';
import { programOf } from '../../coordinator/program.js';
import { folderOfFile } from '../folders.js';
import { contextFor, terminalWith } from '../unit/terminal/streams.js';
import { writeIdx } from '../write-idx.js';

const root = folderOfFile('refusals');
const at = (...names: string[]): string => join(root, ...names);

/** What it says before it fails. */
async function refused(args: readonly string[], error: object): Promise<string> {
  const { terminal, stderr } = terminalWith(false);
  await expect(programOf(contextFor(terminal)).parseAsync([...args], { from: 'user' })).rejects.toMatchObject(error);
  return stderr();
}

const NOWHERE = ['--data', '/there/is/no/such/data'];

beforeAll(async () => {
  await mkdir(at('run'));
  await writeFile(at('run', 'config.json'), '{}');
  await mkdir(at('other'));
  await writeFile(at('other', 'notes'), '');
  await writeFile(at('file'), '');
  await mkdir(at('data'));
  await writeIdx(at('data', 'train-images-idx3-ubyte'), [40, 2, 2], new Uint8Array(160).fill(9));
  await writeIdx(
    at('data', 'train-labels-idx1-ubyte'),
    [40],
    Uint8Array.from({ length: 40 }, (_, i) => i % 2),
  );
});

describe('before data is loaded (case 35)', () => {
  it.each(['train', 'reproduce'])('%s refuses a run directory that is not empty, or is none', async (command) => {
    const usage = (path: string, what: string) => ({ code: 'E_USAGE', message: `--out ${at(path)}: ${what}` });
    await refused([command, ...NOWHERE, '--out', at('run')], {
      ...usage('run', 'it is not empty'),
      fix: `give another --out, or go on with what is there: pseudolabel train --resume ${at('run')}`,
    });
    await refused([command, ...NOWHERE, '--out', at('other')], {
      ...usage('other', 'it is not empty'),
      fix: 'give another --out',
    });
    await refused([command, ...NOWHERE, '--out', at('file')], usage('file', 'it is a file'));
    await refused([command, ...NOWHERE, '--out', at('file', 'below')], usage('file/below', `${at('file')} is a file`));
  });

  it('every command that writes a folder has it in the table', () => {
    const { commands } = programOf(contextFor(terminalWith(false).terminal));
    const writing = commands.filter(({ options }) => options.some(({ flags }) => flags === '--out <dir>'));
    expect(writing.map((command) => command.name()).sort()).toEqual(Object.keys(OUT_FOLDERS).sort());
  });

  it('train refuses fewer shards than members', async () => {
    const nodes = ['--listen', '127.0.0.1:0', '--nodes', '9', '--shards', '2'];
    await refused(['train', ...NOWHERE, ...nodes], { code: 'E_USAGE', message: expect.stringContaining('2 shards') });
  });
});

it.each(['train', 'reproduce'])('%s says nothing of more labels than there are (case 35)', async (command) => {
  const [out, data] = [at(`many-${command}`), at('data')];
  const args = [command, '--data', data, '--labels-per-class', '10000', '--out', out];
  const said = await refused(args, { code: 'E_SPLIT_TOO_FEW' });
  expect(said).not.toContain('labelled');
  expect(existsSync(join(out, 'config.json')) || existsSync(join(out, 'reproduction.json'))).toBe(false);
});
