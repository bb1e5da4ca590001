// Tests the files of docs/cluster/ as their readers see them: our own command line, systemd and Slurm.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.js';
import { parseAddress } from '../../worker/address.js';
import { argumentsOf, type CommandLine, codeOn, commandLinesIn, parsed, wordsOf } from '../command-lines.js';
import { folderOfFile } from '../folders.js';
import { exists, FOLDER, PODS, podOf, ROOT, read, UNITS, unit } from './cluster-folder.js';

const scratch = folderOfFile('cluster-files');

/** Returns the command lines, each with the place where it was found. */
function commandLines(): [string, CommandLine][] {
  const texts = {
    'README.md': codeOn(read(ROOT, 'README.md')),
    'cluster.md': codeOn(read(ROOT, 'docs/cluster.md')),
    'mpi.md': codeOn(read(ROOT, 'docs/mpi.md')),
    'coordinator.sh': read(FOLDER, 'coordinator.sh'),
    'pseudolabel.sbatch': read(FOLDER, 'pseudolabel.sbatch'),
  };
  return [
    ...Object.entries(texts).flatMap(([place, text]) =>
      commandLinesIn(text).map((line) => [place, line] as [string, CommandLine]),
    ),
    ...UNITS.map((name) => [name, argumentsOf(wordsOf(unit(name).Service!.ExecStart![0]!))] as [string, CommandLine]),
    ...PODS.map((kind) => {
      const { command, args } = podOf(kind).containers[0];
      return [kind, argumentsOf([...command, ...args].flatMap(wordsOf))] as [string, CommandLine];
    }),
  ];
}

describe('a command line that people copy', () => {
  const all = commandLines();

  it('is found wherever one is', () => {
    const places = new Map<string, string[]>();
    for (const [place, [command]] of all) places.set(place, [...(places.get(place) ?? []), command!]);
    expect(Object.fromEntries(places)).toEqual({
      'README.md': expect.arrayContaining(['train', 'worker', 'evaluate', 'label', 'scaling', 'doctor']),
      'cluster.md': expect.arrayContaining(['train', 'worker', 'status', 'doctor']),
      'mpi.md': expect.arrayContaining(['train', 'doctor']),
      'coordinator.sh': ['train'],
      'pseudolabel.sbatch': ['train', 'worker'],
      'pseudolabel-coordinator.service': ['train'],
      'pseudolabel-worker.service': ['worker'],
      Job: ['train'],
      Deployment: ['worker'],
    });
  });

  it.each(all)('in %s is one that the program takes: %j', async (_, line) => {
    const { name, args, options } = await parsed(line);
    expect(name).toBe(line[0]);
    const addresses = [...(name === 'worker' || name === 'status' ? args : []), options.listen];
    for (const address of addresses) if (address !== undefined) parseAddress(address as string);
    for (const name of ['workers', 'shards', 'nodes', 'patience'])
      if (typeof options[name] === 'number') expect(options[name], name).toSatisfy(Number.isInteger);
  });

  it('with an option that there is not would be noticed', async () => {
    await expect(parsed(['worker', 'host:1', '--token-file', 'token', '--threads', '2'])).rejects.toThrow('--threads');
    await expect(parsed(['worker', 'host:1'])).rejects.toThrow('--token-file');
    await expect(parsed(['train', '--scenario', 'pla'])).rejects.toThrow('--scenario');
  });
});

describe.each(UNITS)('%s', (name) => {
  const { Service: service = {} } = unit(name);

  it('gets the token as a credential, and is nobody in particular', () => {
    expect(service).toMatchObject({
      DynamicUser: ['yes'],
      LoadCredential: ['token:/etc/pseudolabel/token'],
      ExecStart: [expect.stringMatching(/ --token-file \$\{CREDENTIALS_DIRECTORY\}\/token\b/)],
    });
    expect(service).not.toHaveProperty('MemoryDenyWriteExecute');
  });

  it('is started again after a failure, where that may help', () => {
    const { E_USAGE, E_TOKEN, E_INTERRUPTED } = ERROR_CODES;
    expect(service.Restart).toEqual(['on-failure']);
    expect(service.RestartPreventExitStatus).toEqual([`${E_USAGE.exit}`]);
    expect(E_TOKEN.exit).toBe(E_USAGE.exit);
    if (name.includes('coordinator')) expect(service.SuccessExitStatus).toEqual([`${E_INTERRUPTED.exit}`]);
    expect(Number(service.TimeoutStopSec)).toBeGreaterThan(60); // the wait for a last request
  });

  it.skipIf(!exists('systemd-analyze'))('is taken by systemd itself', () => {
    const command = service.ExecStart![0]!.split(' ')[0]!;
    const script = join(command.endsWith('.sh') ? FOLDER : join(ROOT, 'scripts'), basename(command));
    const program = existsSync(script) ? script : `${script}.mjs`;
    expect(statSync(program).mode & 0o111).toBe(0o111);
    const copy = join(scratch, name);
    writeFileSync(copy, read(FOLDER, name).replace(command, program));
    const complaints = () =>
      spawnSync('systemd-analyze', ['verify', copy], { encoding: 'utf8' })
        .stderr.split('\n')
        .filter((line) => line.includes(name)); // units of this machine that it looks at as well are not ours
    expect(complaints()).toEqual([]);
    writeFileSync(copy, read(FOLDER, name).replace(command, '/not/there'));
    expect(complaints()).toEqual([expect.stringContaining('/not/there')]);
  });
});

describe('the Slurm script', () => {
  const text = read(FOLDER, 'pseudolabel.sbatch');

  it('is bash, and so is the other one a shell script', () => {
    for (const [shell, name] of [
      ['bash', 'pseudolabel.sbatch'],
      ['sh', 'coordinator.sh'],
    ] as const)
      expect(spawnSync(shell, ['-n', join(FOLDER, name)], { encoding: 'utf8' })).toMatchObject({
        status: 0,
        stderr: '',
      });
  });

  it('asks for one task on each of several machines, and for a signal before its time is up', () => {
    const lines = text.split('\n');
    const directives = lines.filter((line) => line.startsWith('#SBATCH'));
    // sbatch stops reading directives at the first command.
    const firstCommand = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
    expect(lines.findLastIndex((line) => line.startsWith('#SBATCH'))).toBeLessThan(firstCommand);
    const options = directives.map((line) => /^#SBATCH --([a-z-]+)=(\S+)$/.exec(line)!.slice(1) as [string, string]);
    expect(Object.fromEntries(options)).toMatchObject({
      'ntasks-per-node': '1',
      nodes: expect.stringMatching(/^[2-9]$/),
      'cpus-per-task': expect.stringMatching(/^\d+$/),
      signal: expect.stringMatching(/^TERM@(9\d|\d{3})$/),
    });
  });
});
