// Tests `pseudolabel scaling` on a network so small that several workers gain nothing. So the test checks what is
// printed, and not how fast it is.
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ScalingReport } from '../../coordinator/scaling/measure.js';
import { SHARES } from '../../src/scaling/time-split.js';
import { pseudolabel, start } from './command.js';

const SMALL = ['--hidden', '64', '--steps', '4', '--workers', '1,2'];

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'pseudolabel-scaling-'));
});
afterAll(() => rm(root, { recursive: true }));

describe('scaling', () => {
  it('measures every phase with every number of workers, and accounts for all of their time', async () => {
    const out = join(root, 'all');
    const options = ['--phase', 'all', '--repeats', '3', '--simulate', 'nodes=4,link=10Gbps,rtt=0.2ms'];
    const ended = await pseudolabel('scaling', ...SMALL, ...options, '--out', out, '--json', '-');
    expect(ended.exit).toBe(0);
    const report = JSON.parse(ended.stdout) as ScalingReport;
    // The simulated clusters exchange gradients.
    expect(report.workload.strategy).toBe('data');
    expect(JSON.parse(await readFile(join(out, 'scaling.json'), 'utf8'))).toEqual(report);

    expect(report.phases.map(({ phase }) => phase)).toEqual(['finetune', 'label', 'pretrain']);
    for (const { phase, rows, rounds, amdahl, prediction } of report.phases) {
      expect(rounds).toHaveLength(3);
      for (const round of rounds) {
        expect(Object.keys(round.workers)).toEqual(['1', '2']);
        expect(Object.keys(round.threads)).toEqual([]);
        // There are 60,000 labels. Of four steps, one has the last 4 of the 100 labelled rows, and the others have 32.
        const images = { finetune: 3 * 32 + 4 + 4 * 256, label: 60_000, pretrain: 4 * 256 }[phase];
        for (const block of Object.values(round.workers)) expect(block.rows).toBe(images);
      }
      expect(rows.map(({ workers }) => workers)).toEqual([1, 2]);
      for (const { split, splitError, millisecondsPerStep, speedUp } of rows) {
        expect(Math.abs(splitError)).toBeLessThan(0.03);
        const sum = SHARES.reduce((total, share) => total + split[share], 0);
        expect(Math.abs(sum / millisecondsPerStep.value - 1)).toBeLessThan(0.03);
        expect(split[phase === 'label' ? 'predict' : 'backward']).toBeGreaterThan(0);
        expect(speedUp.low).toBeLessThanOrEqual(speedUp.value);
      }
      expect(amdahl).toMatchObject({ kind: 'undetermined' });
      expect(prediction!.map(({ nodes }) => nodes)).toEqual([1, 2, 4]);
    }
    const text = await readFile(join(out, 'scaling.txt'), 'utf8');
    expect(text.match(/^2 workers: /gm)).toHaveLength(3);
    expect(text).toMatch(/Amdahl's law and the universal one are not fitted/);
    expect(text).toContain('assumed in the simulation');

    // The report is built again and is the same.
    const plots = ['finetune', 'label', 'pretrain'].flatMap((phase) =>
      ['efficiency', 'speed-up', 'time'].map((plot) => `${phase}-${plot}.svg`),
    );
    expect(await readdir(join(out, 'plots'))).toEqual(plots);
    const page = () => readFile(join(out, 'report.html'), 'utf8');
    const before = await page();
    expect(before.match(/<svg role="img"/g)).toHaveLength(plots.length);
    for (const line of text.match(/^2 workers: .*/gm)!) expect(before).toContain(line.replaceAll("'", '&#39;'));
    expect((await pseudolabel('report', out)).exit).toBe(0);
    const withoutIds = (text: string) => text.replace(/zr\d+-/g, '');
    expect(withoutIds(await page())).toBe(withoutIds(before));
  });

  it('gives as much work to each worker in weak scaling, and draws no conclusion from one round', async () => {
    const ended = await pseudolabel('scaling', ...SMALL, '--mode', 'weak', '--repeats', '1', '--json', '-');
    const { phases } = JSON.parse(ended.stdout) as ScalingReport;
    const [round] = phases[0]!.rounds;
    const rows = round!.workers[1]!.rows;
    expect(round!.workers[2]!.rows).toBe(2 * rows);
    expect(ended.stderr).toMatch(/^2 workers: no conclusion: .*--repeats 3/m);
    expect(ended.exit).toBe(0);
  });

  it('measures nodes that joined over loopback, and accounts for the time of all processes', async () => {
    const out = join(root, 'nodes');
    // Each process has one shard. With more shards, one may move to the faster process, with its images. There is so
    // much to compute that the network hardly affects the measured speed; a slow node would get no shard.
    const hidden = 1000;
    const sizes = ['--strategy', 'data', '--shards', '2', '--hidden', `${hidden}`, '--steps', '4', '--workers', '1'];
    const small = [...sizes, '--phase', 'all', '--mode', 'weak'];
    const ended = await pseudolabel('scaling', '--nodes', '1', ...small, '--repeats', '2', '--out', out, '--json', '-');
    expect(ended.exit, ended.stderr).toBe(0);
    const { unit, phases } = JSON.parse(ended.stdout) as ScalingReport;
    expect(unit).toBe('processes');
    for (const { phase, rows, rounds } of phases) {
      expect(rows.map(({ workers }) => workers)).toEqual([1, 2]);
      for (const { workers, threads } of rounds) {
        expect(Object.keys(threads)).toEqual([]);
        expect(workers[2]!.rows).toBe(2 * workers[1]!.rows);
      }
      const [one, two] = rows;
      expect(one!.wireBytes).toBe(0);
      // The sum of the gradients goes to the coordinator, and the total to the node. Labels and confidences go to the
      // coordinator.
      const outputs = phase === 'pretrain' ? 784 : 10;
      const parameters = 784 * hidden + hidden + hidden * outputs + outputs;
      const bytes = phase === 'label' ? 5 * 30_000 : 2 * 4 * parameters;
      // The bytes are fewer, plus the images of a shard once, if a busy machine made one process so slow that the other
      // took both shards for some steps.
      const steps = phase === 'label' ? 1 : 4;
      expect(two!.wireBytes).toBeLessThan(1.5 * bytes + 50_000 + (30_000 * 784) / steps);
      for (const { split, splitError, millisecondsPerStep } of rows) {
        expect(Math.abs(splitError)).toBeLessThan(0.03);
        const sum = SHARES.reduce((total, share) => total + split[share], 0);
        expect(Math.abs(sum / millisecondsPerStep.value - 1)).toBeLessThan(0.03);
      }
      const sending = two!.split.wait + two!.split.send + two!.split.serialise;
      if (two!.wireBytes > 0) expect(sending).toBeGreaterThan(0);
      expect(one!.split).toMatchObject({ wait: 0, send: 0, serialise: 0 });
    }
    expect(phases.some(({ rows }) => rows[1]!.wireBytes > 0)).toBe(true);
    expect(await readdir(join(out, 'plots'))).toContain('finetune-speed-up.svg');
    expect(await readFile(join(out, 'scaling.txt'), 'utf8')).toMatch(/^2 processes of 1 worker: /m);
  });

  it.each([
    ['threads', 'auto', ['--workers', '1,2']],
    ['nodes', 'tensor', ['--nodes', '1', '--workers', '1', '--strategy', 'tensor']],
  ])('accounts for all of the time of tensor-parallel steps, over %s (%s)', async (over, strategy, sizes) => {
    const small = ['--hidden', '64', '--steps', '4', '--phase', 'all', '--repeats', '2'];
    const ended = await pseudolabel('scaling', ...small, ...sizes, '--json', '-');
    expect(ended.exit, ended.stderr).toBe(0);
    const { workload, phases } = JSON.parse(ended.stdout) as ScalingReport;
    expect(workload.strategy).toBe(strategy);
    for (const { phase, rows, traffic } of phases) {
      expect(rows.map(({ workers }) => workers)).toEqual([1, 2]);
      for (const { split, splitError, millisecondsPerStep } of rows) {
        expect(Math.abs(splitError)).toBeLessThan(0.03);
        const sum = SHARES.reduce((total, share) => total + split[share], 0);
        expect(Math.abs(sum / millisecondsPerStep.value - 1)).toBeLessThan(0.03);
        if (phase === 'label') continue;
        // Updates are a part of the backward passes.
        for (const part of ['forward', 'wait', 'backward'] as const) expect(split[part]).toBeGreaterThan(0);
        expect(split.update).toBe(0);
      }
      if (phase !== 'finetune') continue;
      // Partial logits of 10 classes are sent, and those of fresh labels. A gradient has 50,000 weights.
      expect(traffic[2]!.sum).toBe(4 * 10 * (32 + 256 + 256));
      // Each of the moments may be sent once, as large as a gradient, if all shards went to one process.
      if (over === 'nodes') expect(rows[1]!.wireBytes).toBeLessThan(4 * 4 * 784 * 64);
    }
  });

  it('refuses what it cannot read or find', async () => {
    const cluster = 'nodes=64,link=10Gbps,rtt=0.2ms';
    const [workers, network, data, hidden, both, simulated, auto, ranks, two, sum] = await Promise.all([
      pseudolabel('scaling', '--workers', '1,two'),
      pseudolabel('scaling', '--simulate', 'nodes=64'),
      pseudolabel('scaling', '--data', join(root, 'nowhere')),
      pseudolabel('scaling', '--hidden', '1'),
      pseudolabel('scaling', '--nodes', '0,1', '--workers', '1,2'),
      pseudolabel('scaling', '--strategy', 'tensor', '--simulate', cluster),
      pseudolabel('scaling', '--strategy', 'auto', '--simulate', cluster),
      pseudolabel('scaling', '--ranks', '1,2', '--nodes', '0,1'),
      pseudolabel('scaling', '--ranks', '1,2', '--workers', '1,2'),
      pseudolabel('scaling', '--nodes', '0,1', '--fast-sum'),
    ]);
    expect(ranks).toMatchObject({ exit: 2, stderr: expect.stringContaining('--nodes with --ranks') });
    expect(two).toMatchObject({ exit: 2, stderr: expect.stringContaining('with --ranks, give one number') });
    expect(sum).toMatchObject({ exit: 2, stderr: expect.stringContaining('--fast-sum has no effect without --ranks') });
    expect(simulated).toMatchObject({ exit: 2, stderr: expect.stringContaining('--simulate with --strategy tensor') });
    expect(auto).toMatchObject({ exit: 2, stderr: expect.stringContaining('--simulate with --strategy auto') });
    expect(both).toMatchObject({ exit: 2, stderr: expect.stringContaining('with --nodes, give one number') });
    expect(workers).toMatchObject({ exit: 2, stderr: expect.stringContaining('E_USAGE') });
    expect(network).toMatchObject({ exit: 2, stderr: expect.stringContaining('link=10Gbps') });
    expect(data).toMatchObject({ exit: 2, stderr: expect.stringContaining('E_DATA_MISSING') });
    expect(hidden).toMatchObject({ exit: 2, stderr: expect.stringContaining('E_CONFIG') });
  });

  it('says so where there is no mpirun', async () => {
    const { exit, stderr } = await start(['scaling', '--ranks', '1,2'], { PATH: '' }).ended;
    expect([exit, stderr]).toEqual([1, expect.stringMatching(/E_MPI.*Open MPI/s)]);
  });

  // The contestants share its stderr. When that closes, they are gone.
  it.concurrent.each([
    ['SIGINT', ['--workers', '1,2']],
    ['SIGKILL', ['--workers', '1,2']],
    ['SIGKILL', ['--nodes', '1']],
  ] as const)('leaves no process behind after %s, with %j', async (signal, sizes) => {
    const { child, says, ended } = start(['scaling', ...sizes, '--hidden', '64', '--steps', '100000']);
    await says('warm-up');
    child.kill(signal);
    const { exit, stderr } = await ended;
    if (signal === 'SIGINT') expect([exit, stderr]).toEqual([130, expect.stringContaining('E_INTERRUPTED')]);
  });
});
