// Tests what the launcher finds out before it starts the command line, and what it says when that was killed.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ignoresHangup } from '../../scripts/hangup.mjs';
import { killedLines } from '../../scripts/killed.mjs';
import { folderOfTest } from '../folders.js';

describe('a hang-up', () => {
  const files = {
    '/proc/7/status': 'Name:\tbash\nSigIgn:\t0000000000384000\n',
    '/proc/self/fdinfo/0': 'flags:\t0100002\n',
  };
  const asked = (env: NodeJS.ProcessEnv, other: Partial<typeof files> = {}, isNull = true): boolean => {
    const read = (path: string): string => {
      const text = { ...files, ...other }[path as keyof typeof files];
      if (text === undefined) throw new Error('ENOENT');
      return text;
    };
    return ignoresHangup({ env, parent: 7, read, isNull: () => isNull });
  };

  it('ends a program that was started in the usual way (case 6)', () => {
    expect(asked({ _: '/usr/bin/node' })).toBe(false);
    expect(asked({})).toBe(false);
    expect(asked({}, { '/proc/self/fdinfo/0': 'flags:\t0100000\n' })).toBe(false);
  });

  it('is nothing to one that was started by nohup, or by a script that ignores it (case 6)', () => {
    expect(asked({ _: '/usr/bin/nohup' })).toBe(true);
    expect(asked({}, { '/proc/7/status': 'SigBlk:\t0000000000000000\nSigIgn:\t0000000000384005\n' })).toBe(true);
    expect(asked({}, { '/proc/self/fdinfo/0': 'pos:\t0\nflags:\t0100001\n' })).toBe(true);
    expect(asked({}, { '/proc/self/fdinfo/0': 'flags:\t0100001\n' }, false)).toBe(false);
  });

  it('is what a launcher above has found it to be (case 6)', () => {
    expect(asked({ _: '/usr/bin/nohup', PSEUDOLABEL_HANGUP: 'stops' })).toBe(false);
    expect(asked({ PSEUDOLABEL_HANGUP: 'ignored' })).toBe(true);
  });
});

describe('a command line that was killed (case 12)', () => {
  const circumstances = { isOutOfMemory: false, limitBytes: undefined, goesOn: undefined };

  it('is told of with the signal, and what may have sent it', () => {
    expect(killedLines('SIGKILL', circumstances)).toEqual([
      expect.stringMatching(/^error: .*SIGKILL.*memory/),
      '  fix: start it again',
    ]);
    expect(killedLines('SIGSEGV', circumstances)[0]).toMatch(/SIGSEGV$/);
  });

  it('is told of with the limit of its control group where that ended it', () => {
    const lines = killedLines('SIGKILL', { ...circumstances, isOutOfMemory: true, limitBytes: 2 ** 30 });
    expect(lines).toEqual([
      expect.stringContaining('control group of 1.0 GiB'),
      expect.stringContaining('more memory'),
    ]);
  });

  it('goes on by the line that it has told, if its run has begun', async () => {
    const folder = join(folderOfTest('killed'), 'run');
    const goesOn = { folder, line: 'pseudolabel train --resume run' };
    const fix = () => killedLines('SIGKILL', { ...circumstances, goesOn })[1];
    expect(fix()).toBe('  fix: start it again');
    await mkdir(folder);
    await writeFile(join(folder, 'config.json'), '{}');
    expect(fix()).toBe('  fix: go on with: pseudolabel train --resume run');
  });
});
