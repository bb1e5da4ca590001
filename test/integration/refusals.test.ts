// Tests what commands refuse before they load or compute anything. Otherwise a data set without a file would be the
// first thing to fail.
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { INPUTS } from '../../coordinator/commands/inputs.js';
import { OUT_FOLDERS } from '../../coordinator/commands/output-paths.js';
import { programOf } from '../../coordinator/commands/program.js';
import { flagOf } from '../../src/option-text.js';
import { folderOfFile } from '../folders.js';
import { contextFor, terminalWith } from '../unit/terminal/streams.js';
import { writeIdx } from '../write-idx.js';

const root = folderOfFile('refusals');
const at = (...names: string[]): string => join(root, ...names);

/** Returns what a command prints before it fails. */
async function refused(args: readonly string[], error: object): Promise<string> {
  const { terminal, stderr } = terminalWith(false);
  await expect(programOf(contextFor(terminal)).parseAsync([...args], { from: 'user' })).rejects.toMatchObject(error);
  return stderr();
}

const NO_IMAGES = ['--data', at('other')];

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
    await refused([command, ...NO_IMAGES, '--out', at('run')], {
      ...usage('run', 'it is not empty'),
      fix: `give another --out, or go on with what is there: pseudolabel train --resume ${at('run')}`,
    });
    await refused([command, ...NO_IMAGES, '--out', at('other')], {
      ...usage('other', 'it is not empty'),
      fix: 'give another --out',
    });
    await refused([command, ...NO_IMAGES, '--out', at('file')], usage('file', 'it is a file'));
    await refused(
      [command, ...NO_IMAGES, '--out', at('file', 'below')],
      usage('file/below', `${at('file')} is a file`),
    );
  });

  it('every command that writes a folder has it in the table', () => {
    const { commands } = programOf(contextFor(terminalWith(false).terminal));
    const writing = commands.filter(({ options }) => options.some(({ flags }) => flags === '--out <dir>'));
    expect(writing.map((command) => command.name()).sort()).toEqual(Object.keys(OUT_FOLDERS).sort());
  });

  it('train refuses fewer shards than members', async () => {
    const nodes = ['--listen', '127.0.0.1:0', '--nodes', '9', '--shards', '2'];
    await refused(['train', ...NO_IMAGES, ...nodes], { code: 'E_USAGE', message: expect.stringContaining('2 shards') });
  });
});

it.each(['train', 'reproduce'])('%s says nothing of more labels than there are (case 35)', async (command) => {
  const [out, data] = [at(`many-${command}`), at('data')];
  const args = [command, '--data', data, '--labels-per-class', '10000', '--out', out];
  const said = await refused(args, { code: 'E_SPLIT_TOO_FEW' });
  expect(said).not.toContain('labelled');
  expect(existsSync(join(out, 'config.json')) || existsSync(join(out, 'reproduction.json'))).toBe(false);
});

describe('what a command is given to read (case 34)', () => {
  /** The rest of a command line that reads something. */
  const ALSO: Record<string, readonly string[]> = {
    worker: ['127.0.0.1:1'],
    status: ['127.0.0.1:1'],
    label: ['--out', '/no/such/folder/labels'],
    pack: ['/no/such/folder/out'],
    export: ['/no/such/folder/out'],
    scaling: ['--ranks', '2'],
  };
  const NEEDS: Record<string, readonly string[]> = {
    labels: ['--data', at('empty')],
    tokenFile: ['--listen', '127.0.0.1:0'],
    dashboardToken: ['--dashboard', '0.0.0.0:0'],
    certificate: ['--dashboard', '0.0.0.0:0', '--key', at('file')],
    key: ['--dashboard', '0.0.0.0:0', '--certificate', at('file')],
  };
  const inputs = Object.entries(INPUTS).flatMap(([command, wanted]) =>
    Object.entries(wanted).map(([name, { takes, code, mayBeMissing }]) => ({
      command,
      name,
      takes,
      code,
      mayBeMissing,
    })),
  );
  const lineOf = (command: string, name: string, path: string): string[] => {
    if (name === 'argument') return [command, path, ...(ALSO[command] ?? [])];
    const isOfRun = ['train', 'reproduce', 'preset', 'scaling'].includes(command);
    const model = command === 'evaluate' || command === 'label' ? [at('model')] : [];
    const images = command === 'data' || command === 'pack' ? [at('model')] : [];
    return [
      command,
      ...model,
      ...images,
      flagOf(name),
      path,
      ...(ALSO[command] ?? []),
      ...(isOfRun ? (NEEDS[name] ?? []) : []),
    ];
  };
  const NO_RAW_CODE = expect.not.stringMatching(/\bE[A-Z]{3,}\b:|no such file or directory|illegal operation/);

  beforeAll(async () => {
    await symlink(at('circle'), at('circle'));
    await mkdir(at('empty'));
    await mkdir(at('model'));
    await writeFile(at('model', 'model.json'), '{}');
    await mkdir(at('reproduction', 'nn'), { recursive: true });
    await writeFile(at('reproduction', 'reproduction.json'), '{ "config": {}, "scenarios": ["nn", "pl"] }');
    await writeFile(at('reproduction', 'nn', 'config.json'), '{ "scenario": "nn" }');
    for (const kind of ['config', 'reproduction', 'scaling']) {
      await mkdir(at(`damaged-${kind}`));
      await writeFile(at(`damaged-${kind}`, `${kind}.json`), '{ "scenario": "n');
    }
  });

  it('is in the table, whatever command it is for', () => {
    for (const command of programOf(contextFor(terminalWith(false).terminal)).commands) {
      const isWritten = (name: string): boolean =>
        ['out', 'json', 'trace', 'cache', 'reviewPage', 'page', 'sheet', 'sortInto'].includes(name);
      const read = command.options
        .filter(({ flags }) => /<(file|dir|path)>/.test(flags))
        .map((option) => option.attributeName());
      const named = command.registeredArguments.some(
        (argument) => !['address', 'name', 'shell', 'command'].includes(argument.name()),
      )
        ? ['argument']
        : [];
      const expected = [...read.filter((name) => !isWritten(name)), ...named];
      expect(Object.keys(INPUTS[command.name()] ?? {}).sort(), command.name()).toEqual(expected.sort());
    }
  });

  it.each(inputs)(
    '$command: $name is told in words when it is missing, another thing, or in a circle',
    async (input) => {
      const { command, name, takes, code, mayBeMissing } = input;
      const fails = (path: string) =>
        refused(lineOf(command, name, path), {
          code,
          message: expect.stringContaining(path),
          fix: expect.stringMatching(/^(give|go on)/),
        });
      if (!mayBeMissing) await fails(at('missing'));
      await fails(at('circle'));
      await fails(at('file', 'below'));
      const isAnything = takes.includes('file') && takes.includes('folder');
      if (!isAnything) await fails(takes.includes('file') ? at('empty') : at('file'));
      for (const path of mayBeMissing ? [at('circle')] : [at('missing'), at('circle')])
        await refused(lineOf(command, name, path), { message: NO_RAW_CODE });
    },
  );

  it.each([
    [['evaluate'], 'E_MODEL', 'give one of its runs: PATH/nn'],
    [['label', '--out', '/no/labels'], 'E_MODEL', 'give one of its runs: PATH/nn'],
    [['compare'], 'E_REPORT', 'give its runs: PATH/nn'],
    [['train', '--resume'], 'E_CHECKPOINT_MISSING', 'go on with: pseudolabel reproduce --resume PATH'],
  ] as const)("%j of a reproduction's folder says which is right", async (args, code, fix) => {
    const path = at('reproduction');
    await refused([...args, path], {
      code,
      message: `${path} is a reproduction, which consists of several runs`,
      fix: fix.replace('PATH', path),
    });
  });

  it('says which command goes on with a run, and that one without a model has to end first', async () => {
    const path = at('reproduction', 'nn');
    const line = `pseudolabel train --resume ${path}`;
    await refused(['reproduce', '--resume', path], { code: 'E_CHECKPOINT_MISSING', fix: `go on with: ${line}` });
    await refused(['evaluate', path], { code: 'E_MODEL', fix: `let it come to its end: ${line}` });
    await refused(['evaluate', at('model', 'model.json')], { code: 'E_MODEL', fix: `give ${at('model')}` });
  });

  it.each([
    ['train --resume', 'config', 'E_CONFIG'],
    ['compare', 'config', 'E_REPORT'],
    ['report', 'config', 'E_REPORT'],
    ['reproduce --resume', 'reproduction', 'E_CONFIG'],
    ['report', 'reproduction', 'E_REPORT'],
    ['report', 'scaling', 'E_REPORT'],
  ])('%s says that a damaged %s.json is damaged', async (command, kind, code) => {
    const path = at(`damaged-${kind}`);
    const message = `${join(path, `${kind}.json`)} is damaged: it is no JSON object`;
    await refused([...command.split(' '), path], { code, message });
  });

  it('names the file of options that are none', async () => {
    await mkdir(at('strange'));
    await writeFile(at('strange', 'config.json'), '{ "scenario": "xx" }');
    const message = expect.stringContaining(`${at('strange', 'config.json')}: scenario`);
    await refused(['train', '--resume', at('strange')], { code: 'E_CONFIG', message });
  });
});
