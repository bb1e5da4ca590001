// Tests `pseudolabel scaling --ranks` with the real mpirun. The network is so small that several ranks gain nothing, so
// the test checks what is printed.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScalingReport } from '../../coordinator/scaling/measure.js';
import { SHARES } from '../../src/scaling/time-split.js';
import { type Ended, pseudolabel, start } from './command.js';
import { hasMpi, WHY_SKIPPED } from './mpirun.js';

const SMALL = ['scaling', '--ranks', '1,2', '--workers', '1', '--hidden', '64'];

const isThere = hasMpi();
if (!isThere) console.warn(`scaling-ranks.test.ts: skipped, ${WHY_SKIPPED}`);

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-scaling-ranks-'));
});
afterAll(() => rm(root, { recursive: true }));

/** Returns the report, with every part of the time. */
function reportOf({ exit, stdout, stderr }: Ended): ScalingReport {
  expect(exit, stderr).toBe(0);
  const report = JSON.parse(stdout) as ScalingReport;
  expect(report.unit).toBe('ranks');
  for (const { rows } of report.phases) {
    expect(rows.map(({ workers }) => workers)).toEqual([1, 2]);
    for (const { split, splitError, millisecondsPerStep } of rows) {
      expect(Math.abs(splitError)).toBeLessThan(0.03);
      const sum = SHARES.reduce((total, share) => total + split[share], 0);
      expect(Math.abs(sum / millisecondsPerStep.value - 1)).toBeLessThan(0.03);
    }
    const [one, two] = rows;
    expect([one!.wireBytes, one!.split]).toMatchObject([0, { send: 0, serialise: 0 }]);
    expect(two!.wireBytes).toBeGreaterThan(0);
    expect(two!.split.wait).toBeGreaterThan(0);
  }
  return report;
}

/** Returns the processes that have the variable in their environment. */
async function processesWith(variable: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const environment = await readFile(join('/proc', name, 'environ'), 'utf8').catch(() => '');
    if (environment.split('\0').includes(variable)) found.push(name);
  }
  return found;
}

describe.skipIf(!isThere)('scaling over ranks', { timeout: 120_000 }, () => {
  it('measures every phase data parallel, and accounts for the time of all ranks', async () => {
    const out = join(root, 'data');
    const options = ['--strategy', 'data', '--steps', '4', '--phase', 'all', '--mode', 'weak', '--repeats', '2'];
    const { phases } = reportOf(await pseudolabel(...SMALL, ...options, '--out', out, '--json', '-'));
    expect(phases.map(({ phase }) => phase)).toEqual(['finetune', 'label', 'pretrain']);
    for (const { phase, rows, rounds } of phases) {
      for (const { workers, threads } of rounds) {
        expect(Object.keys(threads)).toEqual([]);
        expect(workers[2]!.rows).toBe(2 * workers[1]!.rows);
      }
      // Half of each gradient goes to the other rank, which sums it, and half of the total comes back. Labels and
      // confidences go to rank 0.
      const parameters = phase === 'pretrain' ? 784 * 64 + 64 + 64 * 784 + 784 : 784 * 64 + 64 + 64 * 10 + 10;
      const least = phase === 'label' ? 5 * 30_000 : 2 * 4 * parameters;
      expect(rows[1]!.wireBytes).toBeGreaterThan(least);
      expect(rows[1]!.wireBytes).toBeLessThan(1.5 * least + 100_000);
    }
    expect(await readdir(join(out, 'plots'))).toContain('finetune-speed-up.svg');
    expect(await readFile(join(out, 'scaling.txt'), 'utf8')).toMatch(/^2 ranks of 1 worker: /m);
    expect((await pseudolabel('report', out)).exit).toBe(0);
  });

  it('measures tensor-parallel steps, which exchange less', async () => {
    const options = ['--strategy', 'tensor', '--steps', '4', '--phase', 'all', '--repeats', '2'];
    const { phases } = reportOf(await pseudolabel(...SMALL, ...options, '--json', '-'));
    for (const { phase, rows } of phases) {
      if (phase === 'label') continue;
      for (const { split } of rows) {
        for (const part of ['forward', 'wait', 'backward'] as const) expect(split[part]).toBeGreaterThan(0);
        expect(split.update).toBe(0);
      }
      if (phase === 'finetune') expect(rows[1]!.wireBytes).toBeLessThan(4 * 784 * 64);
    }
  });

  it('measures sums in the order of MPI on the machines of a file, and says why one round concludes nothing', async () => {
    const hosts = join(root, 'hosts');
    await writeFile(hosts, 'localhost slots=2\n');
    const options = ['--fast-sum', '--hostfile', hosts, '--steps', '4', '--repeats', '1'];
    const ended = await pseudolabel(...SMALL, ...options, '--json', '-');
    expect(ended.stderr).toContain(`on the machines of ${hosts}`);
    const { workload, phases } = reportOf(ended);
    expect(workload.fastSum).toBe(true);
    // The run is data-parallel whatever the default is, because no other strategy sums gradients.
    expect(phases[0]!.rows[1]!.wireBytes).toBeGreaterThan(4 * 784 * 64);
    expect(ended.stderr).toMatch(/^2 ranks of 1 worker: no conclusion: .*--repeats 3/m);
  });

  it('says that a list of machines is not there, before mpirun is asked for ranks', async () => {
    const { exit, stderr } = await pseudolabel(...SMALL, '--hostfile', join(root, 'nowhere'));
    expect([exit, stderr]).toEqual([2, expect.stringMatching(/E_USAGE: .*nowhere cannot be read/)]);
  });

  it('says what is wrong with the data, as rank 0 finds it', async () => {
    const { exit, stderr } = await pseudolabel(...SMALL, '--data', join(root, 'nowhere'));
    expect([exit, stderr]).toEqual([2, expect.stringContaining('E_DATA_MISSING')]);
  });

  it.skipIf(process.platform !== 'linux').each(['SIGINT', 'SIGKILL'] as const)(
    'leaves no process behind after %s',
    async (signal) => {
      const variable = ['PSEUDOLABEL_TEST', `${process.pid}-${signal}`] as const;
      const { child, says, ended } = start([...SMALL, '--steps', '100000'], { [variable[0]]: variable[1] });
      await says('warm-up');
      child.kill(signal);
      const { exit, stderr } = await ended;
      if (signal === 'SIGINT') expect([exit, stderr]).toEqual([130, expect.stringContaining('E_INTERRUPTED')]);
      // Ranks learn from mpirun that the run is over. They have until the time limit of the test.
      while ((await processesWith(variable.join('='))).length > 0) await sleep(100);
    },
  );
});
