// Tests training as a job of several processes. The real mpirun starts them, on networks so small that a run takes a
// second or two.
import { execFileSync } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeCollective } from '../contract/collective.contract.js';
import type { Found } from '../contract/collective-work.mjs';
import { type Ended, pseudolabel, resultOf } from './command.js';
import { env, hasMpi, mpirun, type Options, smallRuns, startJob, WHY_SKIPPED } from './mpirun.js';

const isThere = hasMpi();
if (!isThere) console.warn(`mpi.test.ts: skipped, ${WHY_SKIPPED}`);

let root: string;
let options: Options;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-mpi-'));
  options = await smallRuns(root);
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Returns what the ranks besides the first wrote. */
const ofOthers = ({ stdout, stderr }: Ended): string[] =>
  `${stdout}\n${stderr}`.split('\n').filter((line) => /^\[\d+,[1-9]/.test(line));

/** Returns the process of a rank. It is found by mpirun's variables, and by the run's directory. */
async function processOf(rank: number, out: string): Promise<number> {
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const read = (what: string) => readFile(join('/proc', name, what), 'utf8').catch(() => '');
    const [environment, command] = await Promise.all([read('environ'), read('cmdline')]);
    const isOfRank = environment.split('\0').includes(`OMPI_COMM_WORLD_RANK=${rank}`);
    if (isOfRank && command.split('\0').includes(out)) return Number(name);
  }
  throw new Error(`no process of rank ${rank}`);
}

type Run = [scenario: string, ranks: number, by: string];

/**
 * Runs with the real library. The contract tests other numbers of ranks and workers
 * (test/contract/mpi-executor.test.ts).
 */
const RUNS: Run[] = [
  ['dae', 3, 'data'],
  ['pl', 3, 'tensor'],
  // One of its stages trains an autoencoder with a narrow middle.
  ['dae', 2, 'auto'],
];
describe.skipIf(!isThere)('a job of several ranks', () => {
  it.each(RUNS)(
    'trains %s by %i to the bits of one process by %s, and one rank speaks',
    async (scenario, ranks, by) => {
      const [alone, together] = ['alone', 'job'].map((name) =>
        join(root, `${name}-${scenario}-${by}`.replaceAll(' ', '')),
      ) as [string, string];
      const [, ended] = await Promise.all([
        pseudolabel(...options(scenario, 8, alone), '--strategy', ...by.split(' ')),
        startJob(ranks, [...options(scenario, 8, together), '--strategy', ...by.split(' '), '--collective', 'mpi'])
          .ended,
      ]);
      expect(ended.exit, ended.stderr).toBe(0);
      const { weightsSha256, testAccuracy, job } = await resultOf(together);
      expect(await resultOf(alone)).toMatchObject({ weightsSha256, testAccuracy });
      expect(job).toEqual({ ranks, workers: ranks, sum: 'tree' });
      expect(ended.stderr).toContain(`${ranks} ranks with ${ranks} workers in all`);
      expect(ofOthers(ended)).toEqual([]);
    },
  );

  it.each(['data', 'tensor'])(
    'stops when asked to, ends when a rank is lost, and goes on each time, to the bits of a run that was not disturbed (%s)',
    async (by) => {
      const [whole, disturbed] = [join(root, `whole-${by}`), join(root, `disturbed-${by}`)];
      const strategy = ['--strategy', by];
      const steps = [
        ...options('pl', 120, disturbed),
        ...strategy,
        '--checkpoint-every',
        '20',
        '--checkpoint-seconds',
        '0',
      ];
      const undisturbed = pseudolabel(...options('pl', 120, whole), ...strategy);

      const first = startJob(2, [...steps, '--collective', 'mpi']);
      await first.says('checkpoint-00-00000020');
      first.child.kill('SIGUSR2'); // mpirun passes it on
      const stopped = await first.ended;
      expect(stopped.stderr).toContain('error E_INTERRUPTED');
      expect(stopped.exit).toBe(130);

      const resume = ['train', '--resume', disturbed, '--workers', '1'];
      const second = startJob(3, [...resume, '--collective', 'mpi']);
      await second.says('3 ranks');
      process.kill(await processOf(2, disturbed), 'SIGKILL');
      expect((await second.ended).exit).not.toBe(0);

      const last = await startJob(2, [...resume, '--collective', 'mpi']).ended;
      expect(last).toMatchObject({ exit: 0 });
      expect((await undisturbed).exit).toBe(0);
      expect(await resultOf(disturbed)).toMatchObject({ weightsSha256: (await resultOf(whole)).weightsSha256 });
    },
  );

  it('sums in the order of MPI where that is asked for, and says so', async () => {
    const out = join(root, 'fast');
    const { exit, stderr } = await startJob(2, [...options('pl', 8, out), '--collective', 'mpi', '--fast-sum']).ended;
    expect(exit).toBe(0);
    expect(stderr).toContain('strategy: data, since --fast-sum');
    expect(stderr).toContain('the weights depend on the ranks');
    expect((await resultOf(out)).job).toMatchObject({ ranks: 2, sum: 'any' });
    const other = await pseudolabel('train', '--resume', out, '--collective', 'mpi');
    expect(other.stderr).toContain('error E_USAGE: --collective mpi without mpirun');
    const hidden = [...options('pl', 8, join(root, 'no-sums')), '--strategy', 'tensor', '--fast-sum'];
    const without = await startJob(2, [...hidden, '--collective', 'mpi']).ended;
    expect(without.stderr).toContain('error E_CONFIG: fastSum: tensor-parallel steps sum no gradients');
  });

  it('ends with the exit code and the error of its first rank', async () => {
    const { exit, stderr } = await startJob(2, ['train', '--collective', 'mpi', '--data', join(root, 'none')]).ended;
    expect(stderr).toMatch(/^\[1,0\]<stderr>:error E_DATA_MISSING/m);
    expect(stderr).not.toContain('[1,1]<stderr>:');
    expect(exit).toBe(2);
  });

  it('is refused where each rank would train alone', async () => {
    const { exit, stderr } = await startJob(2, options('nn', 2, join(root, 'twice'))).ended;
    expect(stderr).toContain('error E_USAGE: mpirun started several processes');
    expect(exit).toBe(2);
  });

  describeCollective('ranks of mpirun', async (size) => {
    const [program, ...rest] = mpirun(size).filter((word) => word !== '--tag-output') as [string, ...string[]];
    const script = fileURLToPath(new URL('mpi-work.mjs', import.meta.url));
    const lines = execFileSync(program, [...rest, process.execPath, script], { env: env(), encoding: 'utf8' });
    return lines
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Found);
  });
});
