// Tests the errors about a path on the command line that cannot be used, before anything is loaded.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { checkInputs, checkNames } from '../../../coordinator/commands/inputs.js';
import type { Context } from '../../../coordinator/commands/options.js';
import { addModelChoice } from '../../../coordinator/commands/options.js';
import { addDashboardOptions } from '../../../coordinator/commands/watched-run.js';
import { checkNetworkName } from '../../../coordinator/runs/network.js';
import { folderOfFile } from '../../folders.js';

const FOLDER = folderOfFile('inputs');
const context = { invocation: { line: (args: readonly string[]) => args.join(' ') } } as unknown as Context;

function trained(...words: string[]): Command {
  const command = addModelChoice(new Command('train').exitOverride()).option('--out <dir>');
  return command.parse(words, { from: 'user' });
}

function used(name: string, path: string): Command {
  return new Command(name).argument('<model>').parse([path], { from: 'user' });
}

describe('a path', () => {
  it('is not empty', () => {
    expect(() => checkNames(trained('--out', ''))).toThrow('--out is empty');
    expect(() => checkNames(used('label', ''))).toThrow('<model> is empty');
  });

  it('of a network is there, or is said to be no network', () => {
    const failure = (name: string) => {
      try {
        return checkNetworkName(name);
      } catch (error) {
        return error;
      }
    };
    expect(failure('convnett')).toMatchObject({
      code: 'E_MODEL',
      message: expect.stringContaining('there is no network or folder "convnett"'),
      fix: 'did you mean convnet?',
    });
    expect(failure('missing')).toMatchObject({ code: 'E_MODEL', fix: expect.stringContaining('convnet') });
    expect(failure('x.onnx')).toMatchObject({ message: expect.stringContaining('is written by export') });
    for (const name of ['convnet', 'dense:64', FOLDER]) expect(failure(name)).toBeUndefined();
  });

  it('of pictures is neither a run nor a model', async () => {
    mkdirSync(join(FOLDER, 'pictures'), { recursive: true });
    const error = { code: 'E_MODEL', message: expect.stringContaining('is neither a run nor a saved model') };
    await expect(checkInputs(used('evaluate', join(FOLDER, 'pictures')), context)).rejects.toMatchObject(error);
  });

  it('of a .keras file is for training', async () => {
    const path = join(FOLDER, 'x.keras');
    writeFileSync(path, '');
    const error = { code: 'E_MODEL', message: expect.stringContaining('train --model') };
    await expect(checkInputs(used('label', path), context)).rejects.toMatchObject(error);
  });
});

it('the address of a dashboard is a port, or has one', () => {
  const command = addDashboardOptions(new Command('train').exitOverride());
  expect(() => command.parse(['--dashboard', '8765x'], { from: 'user' })).toThrow(
    expect.objectContaining({ code: 'E_USAGE', fix: 'give a port or HOST:PORT' }),
  );
});
