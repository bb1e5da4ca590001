// Tests the job scripts of docs/cluster/. They are read as Slurm and PBS read them, and run with an mpirun that only
// prints its arguments.
import { execFile, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parsed } from '../command-lines.js';
import { folderOfFile } from '../folders.js';

const scriptAt = (name: string) => fileURLToPath(new URL(`../../docs/cluster/${name}`, import.meta.url));
const count = z.string().regex(/^[1-9]\d*$/);
const memory = z.string().regex(/^\d+[KMGT]$/);
const time = z.string().regex(/^\d{2,}:[0-5]\d:[0-5]\d$/);

/** The options of sbatch(1) that we use. */
const SLURM = z.strictObject({
  'job-name': z.string().min(1),
  nodes: count,
  'ntasks-per-node': count,
  'cpus-per-task': count,
  mem: memory,
  time,
  // B: to the script, which knows what to do with the signal.
  signal: z.string().regex(/^B:USR2@\d+$/),
  requeue: z.literal(true),
  'open-mode': z.enum(['append', 'truncate']),
  output: z.string().includes('%j'),
});

/** The options of qsub(1) that we use. Resources are by their names. */
const PBS = z.strictObject({
  N: z.string().regex(/^[A-Za-z]\S{0,14}$/),
  select: z.string().regex(/^\d+:ncpus=\d+:mpiprocs=1:mem=\d+gb$/),
  place: z.enum(['scatter', 'scatter:excl']),
  walltime: time,
  j: z.enum(['oe', 'eo', 'n']),
  r: z.enum(['y', 'n']),
});

/** Returns the words of the directives. They end at the first command; later lines are not read. */
function directives(text: string, prefix: string): string[][] {
  const lines = text.split('\n').slice(1);
  const first = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
  const isDirective = (line: string) => line.startsWith(`${prefix} `);
  expect(lines.slice(first).filter(isDirective), 'directives that come too late').toEqual([]);
  return lines
    .slice(0, first)
    .filter(isDirective)
    .map((line) => line.split(/\s+/).slice(1));
}

function slurmOptions(text: string): Record<string, string | true> {
  return Object.fromEntries(
    directives(text, '#SBATCH').map((words) => {
      const { name, value } = /^--(?<name>[a-z-]+)(?:=(?<value>\S+))?$/.exec(words.join(' '))!.groups!;
      return [name!, value ?? true];
    }),
  );
}

function pbsOptions(text: string): Record<string, string> {
  return Object.fromEntries(
    directives(text, '#PBS').map(([flag, value]) => {
      if (flag !== '-l') return [flag!.slice(1), value!];
      const [name, ...rest] = value!.split('=');
      return [name!, rest.join('=')];
    }),
  );
}

const root = folderOfFile('job-scripts');

/** A script in place of mpirun: it notes its arguments, and ends with $STATUS, or with 130 at a signal. */
const MPIRUN = `#!/bin/bash
printf '%s\\n' "$@" > asked
if [ -n "$STATUS" ]; then exit "$STATUS"; fi
trap 'exit 130' USR2 TERM
echo waiting
for _ in {1..600}; do sleep 0.05; done`;

function program(name: string, text: string): void {
  writeFileSync(join(root, 'bin', name), text);
  chmodSync(join(root, 'bin', name), 0o755);
}

const ENV = {
  SLURM_JOB_NAME: 'pseudolabel',
  SLURM_JOB_ID: '71',
  SLURM_CPUS_PER_TASK: '16',
  PBS_JOBID: '71.server',
  PBS_O_WORKDIR: root,
  PBS_NODEFILE: join(root, 'nodes'),
  NCPUS: '16',
};
const environment = (more: NodeJS.ProcessEnv) => ({
  cwd: root,
  env: { ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}`, ...ENV, ...more },
});

async function statusOf(script: string, more: NodeJS.ProcessEnv): Promise<number> {
  return promisify(execFile)('bash', [scriptAt(script)], environment(more)).then(
    () => 0,
    (error: { code: number }) => error.code,
  );
}

const words = (name: string): string[] => readFileSync(join(root, name), 'utf8').trim().split('\n');

/** Returns the flags of train that a job was started with, as the program reads them. */
async function trained(): Promise<Readonly<Record<string, unknown>>> {
  const asked = words('asked');
  const { name, options } = await parsed(asked.slice(asked.indexOf('pseudolabel') + 1));
  expect(name).toBe('train');
  return options;
}

beforeEach(() => {
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, 'bin'), { recursive: true });
  program('mpirun', MPIRUN);
  program('scontrol', '#!/bin/bash\nprintf "%s\\n" "$@" > requeued');
});

describe('a job script', () => {
  it.each([
    ['mpi.sbatch', SLURM, slurmOptions],
    ['mpi.pbs', PBS, pbsOptions],
  ] as const)('says what it wants in words that are read (%s)', (name, schema, options) => {
    const text = readFileSync(scriptAt(name), 'utf8');
    expect(text).toMatch(/^#!\/bin\/bash\n/);
    expect(schema.safeParse(options(text)).error).toBeUndefined();
  });

  it.each([
    ['mpi.sbatch', 'runs/pseudolabel-71'],
    ['mpi.pbs', 'runs/pseudolabel-71'],
  ])('begins a run, and goes on with one that is there (%s)', async (name, run) => {
    expect(await statusOf(name, { STATUS: '0' })).toBe(0);
    expect(await trained()).toMatchObject({ collective: 'mpi', workers: 16, scenario: 'dae', shards: 64, out: run });
    mkdirSync(join(root, run), { recursive: true });
    writeFileSync(join(root, run, 'config.json'), '{}');
    expect(await statusOf(name, { STATUS: '0' })).toBe(0);
    expect(await trained()).toMatchObject({ collective: 'mpi', workers: 16, resume: run });
    expect(await trained()).not.toHaveProperty('out');
  });

  it.each([
    ['mpi.sbatch', 'USR2', 130],
    ['mpi.pbs', 'TERM', 130],
  ] as const)('sees its job end after a signal (%s)', async (name, signal, status) => {
    const child = spawn('bash', [scriptAt(name)], { ...environment({ STATUS: '' }), detached: true, stdio: 'pipe' });
    const ended = new Promise((resolve) => child.on('close', resolve));
    await new Promise((resolve) => child.stdout.once('data', resolve));
    // Slurm signals the script, PBS all processes of a job.
    process.kill(signal === 'TERM' ? -child.pid! : child.pid!, `SIG${signal}`);
    expect(await ended).toBe(status);
  });

  it.each([
    [0, '0', false],
    [1, '0', true],
    [137, '9', true],
    [137, '10', false],
    [2, '0', false],
  ])('of Slurm that ends with %i after %s restarts goes back to the queue: %s', async (status, restarts, isQueued) => {
    expect(await statusOf('mpi.sbatch', { STATUS: `${status}`, SLURM_RESTART_COUNT: restarts })).toBe(status);
    if (isQueued) expect(words('requeued')).toEqual(['requeue', '71']);
    else expect(() => words('requeued')).toThrow();
  });
});
