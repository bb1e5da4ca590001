// Tests the script for Slurm, with an srun that starts the tasks on this machine. The job is stopped when its time is
// up, submitted again, and ends.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, readdir, readFile, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunResult } from '../../coordinator/runs/result.js';
import { folderOfFile } from '../folders.js';
import { pseudolabel } from './command.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SCRIPT = join(ROOT, 'docs', 'cluster', 'pseudolabel.sbatch');
const SMALL = ['--hidden', '64', '--max-steps', '80', '--checkpoint-every', '10', '--checkpoint-seconds', '0'];

/** Starts a task for each machine with Slurm's variables, passes SIGTERM on, and writes how the tasks ended. */
const SRUN = `#!${process.execPath}
const { spawn } = require('node:child_process');
const [program, ...args] = process.argv.slice(process.argv.findIndex((word, i) => i > 1 && !word.startsWith('-')));
const tasks = Array.from({ length: Number(process.env.SLURM_JOB_NUM_NODES) }, (_, i) => {
  const env = { ...process.env, SLURM_PROCID: i, SLURMD_NODENAME: 'machine-' + i };
  return spawn(program, args, { env, stdio: 'inherit' });
});
// As Slurm does, which wakes those that stand still.
process.on('SIGTERM', () => ['SIGTERM', 'SIGCONT'].forEach((signal) => tasks.forEach((task) => task.kill(signal))));
require('node:fs').writeFileSync(process.env.SRUN_PID, String(process.pid));
Promise.all(tasks.map((task) => new Promise((resolve) => task.on('exit', resolve)))).then((codes) =>
  console.error('tasks ended with', ...codes),
);
`;
/** The command as it is in a user's path, but with small networks. */
const COMMAND = `#!/bin/bash
[[ $1 == train ]] && small=(${SMALL.join(' ')} $STALL)
exec "${process.execPath}" "${join(ROOT, 'scripts', 'pseudolabel.mjs')}" "$@" "\${small[@]}"
`;

const root = folderOfFile('cluster');
beforeAll(async () => {
  for (const [name, text] of [
    ['srun', SRUN],
    ['pseudolabel', COMMAND],
  ] as const) {
    await writeFile(join(root, name), text);
    await chmod(join(root, name), 0o755);
  }
});

interface Job {
  readonly child: ChildProcess;
  readonly ended: Promise<string>;
  says(text: string): Promise<void>;
}

/** Submits a job. stall: the step in which the run is suspended, so that it does not end before its time is up. */
function submit(stall?: number): Job {
  const env = {
    ...process.env,
    SHARDS: '8',
    STALL: stall === undefined ? '' : `--stall-worker ${stall}`,
    PATH: `${root}${delimiter}${process.env.PATH}`,
    XDG_STATE_HOME: join(root, 'state'),
    RUN: join(root, 'runs', 'dae'),
    SRUN_PID: join(root, 'srun.pid'),
    SCRIPTS: join(ROOT, 'docs', 'cluster'),
    SLURM_JOB_NAME: 'dae',
    SLURM_JOB_ID: `${process.pid}`,
    SLURM_JOB_NUM_NODES: '2',
    SLURM_CPUS_PER_TASK: '1',
    SLURMD_NODENAME: '127.0.0.1',
  };
  const child = spawn('bash', [SCRIPT], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  const ended = once(child, 'close').then(() => text);
  const says = (wanted: string): Promise<void> =>
    new Promise((resolve, reject) => {
      child.stderr.on('data', () => text.includes(wanted) && resolve());
      void ended.then(() => reject(new Error(`it ended without '${wanted}':\n${text}`)));
    });
  return { child, ended, says };
}

describe('the Slurm script', () => {
  it('runs over the machines of its job, saves and leaves when its time is up, and goes on when submitted again', async () => {
    const first = submit(15);
    await first.says('saved ');
    // As with --signal, the tasks get the signal, and not the script.
    process.kill(Number(await readFile(join(root, 'srun.pid'), 'utf8')), 'SIGTERM');
    const stopped = await first.ended;
    expect(stopped).toContain('machine-1 joined with 1 worker');
    expect(stopped).toContain('E_INTERRUPTED');
    expect(stopped).toContain('tasks ended with 130 0\n');

    expect(await submit().ended).toMatch(/goes on at step(.*\n)*tasks ended with 0 0\n$/);
    const resultIn = async (run: string) =>
      JSON.parse(await readFile(join(root, 'runs', run, 'result.json'), 'utf8')) as RunResult;
    const { weightsSha256, shards } = await resultIn('dae');
    expect(shards).toBe(8);
    const threads = ['--scenario', 'dae', '--workers', '2', '--out', join(root, 'runs', 'threads'), ...SMALL];
    expect(await pseudolabel('train', ...threads)).toMatchObject({ exit: 0 });
    expect((await resultIn('threads')).weightsSha256).toBe(weightsSha256);
    expect((await readdir(join(root, 'runs'))).sort()).toEqual(['dae', 'dae.token', 'threads']);
  });
});
