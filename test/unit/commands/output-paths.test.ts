// Tests that a command sees what it would replace before it begins: files that it reads, files that a run keeps, its
// other results.
import { link, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Writable } from 'node:stream';
import { beforeEach, describe, expect, it } from 'vitest';
import { invocationHere } from '../../../coordinator/commands/invocation.js';
import { checkPaths, pathsOf } from '../../../coordinator/commands/output-paths.js';
import { programOf } from '../../../coordinator/commands/program.js';
import { newDirectory } from '../../../coordinator/commands/run-flags.js';
import { Terminal } from '../../../coordinator/terminal/terminal.js';
import { folderOfTest } from '../../folders.js';

let folder: string;
beforeEach(() => {
  folder = folderOfTest('outputs');
});
const at = (...names: string[]): string => join(folder, ...names);

async function file(...names: string[]): Promise<string> {
  await mkdir(dirname(at(...names)), { recursive: true });
  await writeFile(at(...names), 'mine');
  return at(...names);
}

const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
const newProgram = () =>
  programOf({
    terminal: new Terminal(nowhere, nowhere, {}),
    signal: new AbortController().signal,
    invocation: invocationHere(),
    goesOn: () => undefined,
  });

/** Returns what a command line prints before it does anything. */
async function refusal(...args: string[]): Promise<unknown> {
  const program = newProgram();
  const command = program.commands.find((each) => each.name() === args[0])!;
  command.args = command.parseOptions(args.slice(1)).operands;
  return checkPaths(pathsOf(command)).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const WOULD_REPLACE = { code: 'E_USAGE', message: expect.stringContaining('would replace') };

describe('a result', () => {
  it('is not written over a file that its command reads, whatever the file is called (case 17)', async () => {
    const images = await file('images');
    await symlink(images, at('link'));
    await link(images, at('other-name'));
    await file('data', 'nested', 'train-images');
    await symlink(at('data'), at('data-link'));
    const config = await file('config');
    const hosts = await file('hosts');
    const token = await file('token');
    const refused = await Promise.all([
      ...['images', 'link', 'other-name'].map((name) =>
        refusal('label', 'model', '--images', images, '--out', at(name)),
      ),
      refusal('label', 'model', '--images', images, '--out', at('new'), '--json', images),
      refusal('evaluate', 'model', '--data', at('data'), '--json', at('data-link', 'nested', 'train-images')),
      refusal('train', '--config', config, '--json', config),
      refusal('train', '--data', at('data'), '--trace', at('data', 'nested', 'train-images')),
      refusal('train', '--listen', 'localhost:1', '--token-file', token, '--json', token),
      refusal('scaling', '--ranks', '1,2', '--hostfile', hosts, '--json', hosts),
      refusal('status', 'localhost:1', '--token-file', token, '--json', token),
    ]);
    for (const error of refused) expect(error).toMatchObject(WOULD_REPLACE);
    expect(await readFile(images, 'utf8')).toBe('mine');
  });

  it('is not written over what a run keeps, or will keep (case 17)', async () => {
    await file('data', 'train-images');
    for (const name of ['metrics.jsonl', 'result.json', 'report.html', 'evaluation.json']) await file('run', name);
    await writeFile(at('run', 'config.json'), JSON.stringify({ data: at('data') }));
    await file('run', 'model', 'model.json');
    const refused = await Promise.all([
      refusal('evaluate', at('run'), '--json', at('run', 'result.json')),
      refusal('evaluate', at('run'), '--json', at('data', 'train-images')),
      refusal('label', at('run', 'model'), '--out', at('run', 'model', 'weights.bin')),
      refusal('report', at('run'), '--json', at('run', 'config.json')),
      refusal('compare', at('run'), '--out', at('run', 'metrics.jsonl')),
      refusal('train', '--resume', at('run'), '--trace', at('run', 'checkpoints', 'checkpoint-00-00000005.plck')),
      refusal('train', '--out', at('new'), '--json', at('new', 'config.json')),
      refusal('train', '--out', at('new'), '--trace', at('new', 'data.json')),
      refusal('reproduce', '--out', at('new'), '--json', at('new', 'pl', 'metrics.jsonl')),
      refusal('scaling', '--out', at('new'), '--json', at('new', 'scaling.json')),
    ]);
    for (const error of refused) expect(error).toMatchObject(WOULD_REPLACE);
    expect(await refusal('evaluate', at('run'), '--json', at('run', 'evaluation.json'))).toBeUndefined();
    expect(await refusal('train', '--resume', at('run'), '--json', at('result.json'))).toBeUndefined();
  });

  it('is not written over a picture of the data, however deep, or the labels that a run learned from', async () => {
    const deep = await file('data', 'unlabelled', 'x y', 'ü', 'more', '1.csv');
    const labels = await file('labels.csv');
    await mkdir(at('run'));
    await writeFile(at('run', 'config.json'), JSON.stringify({ data: at('data'), labels }));
    await file('run', 'model', 'model.json');
    for (const folder of [at('run'), at('run', 'model')])
      for (const out of [deep, labels])
        expect(await refusal('label', folder, '--out', out)).toMatchObject(WOULD_REPLACE);
    expect(await refusal('label', at('model'), '--data', at('data'), '--out', deep)).toMatchObject(WOULD_REPLACE);
    expect(await refusal('label', at('run'), '--out', at('others.csv'))).toBeUndefined();
  });

  it('is no folder and no picture within the data, which the next command would read', async () => {
    await file('data', 'unlabelled', '1.png');
    await mkdir(at('run'));
    await writeFile(at('run', 'config.json'), JSON.stringify({ data: at('data') }));
    const within = { code: 'E_USAGE', message: expect.stringContaining('lies in the data') };
    const sorted = (folder: string) => refusal('label', at('run'), '--out', at('x.csv'), '--sort-into', folder);
    expect(await sorted(at('data', 'sorted'))).toMatchObject(within);
    expect(await sorted(at('sorted'))).toBeUndefined();
    const run = (folder: string) => refusal('train', '--data', at('data'), '--cache', at('cache'), '--out', folder);
    expect(await run(at('data', 'runs', 'first'))).toMatchObject(within);
    expect(await run(at('cache', 'first'))).toBeUndefined();
    expect(await refusal('data', at('data'), '--sheet', at('data', 'sheet.png'))).toMatchObject(within);
    await file('idx', 'train-images-idx3-ubyte');
    expect(await refusal('train', '--data', at('idx'), '--out', at('idx', 'run'))).toBeUndefined();
    expect(
      await refusal('data', at('data'), '--sheet', at('sheet.png'), '--json', at('data', 'x.json')),
    ).toBeUndefined();
  });

  it('is not written over another result of the same command (case 17)', async () => {
    const same = await Promise.all([
      refusal('label', 'model', '--out', at('x'), '--json', join(at('y'), '..', 'x')),
      refusal('compare', 'a', 'b', '--out', at('x'), '--json', at('x')),
      refusal('train', '--trace', at('x'), '--json', at('x')),
    ]);
    for (const error of same) expect(error).toMatchObject(WOULD_REPLACE);
    expect(await refusal('label', 'model', '--out', at('x'), '--json', '-')).toBeUndefined();
  });

  it('that cannot be written is told of before the work, not after it', async () => {
    await file('plain');
    for (const path of [folder, at('plain', 'x')])
      expect(await refusal('evaluate', 'model', '--json', path)).toMatchObject({ code: 'E_OUTPUT' });
    expect(await readdir(folder)).toEqual(['plain']);
  });

  it('has an option that says that it takes a path, in every command', () => {
    const named = newProgram().commands.flatMap((command) => command.options.map(({ flags }) => flags));
    for (const flags of named.filter((each) => /file|folder|path|dir\b/.test(each)))
      expect(flags).toMatch(/<(file|dir|path)>$/);
    for (const name of ['--json', '--trace', '--out'])
      for (const flags of named.filter((each) => each.startsWith(`${name} `)))
        expect(flags).toMatch(/<(file|dir|path)>$/);
  });
});

describe('the folder of a run that was given no --out', () => {
  it('is another one for each of several that begin in the same second (case 15)', async () => {
    const here = process.cwd();
    process.chdir(folder);
    try {
      const now = new Date(2026, 0, 2, 3, 4, 5);
      const made = await Promise.all(Array.from({ length: 3 }, () => newDirectory('pl', now)));
      const first = join('runs', '2026-01-02-030405-pl');
      expect(made.sort()).toEqual([first, `${first}-2`, `${first}-3`]);
      expect(await readdir(at('runs'))).toHaveLength(3);
    } finally {
      process.chdir(here);
    }
  });
});
