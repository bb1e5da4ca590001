// Tests the sentences of a scaling report.
import { describe, expect, it } from 'vitest';
import { conclusionLines, fitLines, scalingLines } from '../../../coordinator/scaling/lines.js';
import { simulate } from '../../../src/scaling/simulate.js';
import { type Block, type Round, summarise } from '../../../src/scaling/summary.js';
import { blockOf, ONE, roundsOf, TWO } from './blocks.js';

const PLAIN = { yellow: String, bold: String };
const QUIET = [1, 1.02, 0.99, 1.01, 1];

function said(rounds: readonly Round[], cores = 2): string[] {
  const { rows } = summarise(rounds, [1, 2], { mode: 'strong', cores, seed: 1 });
  return rows.flatMap((row) => conclusionLines(row, { unit: 'workers', each: 1, cores }, PLAIN));
}

const withTwo = (two: Block) => said(roundsOf(QUIET, ONE, two));

describe('the sentence about several workers', () => {
  it('gives speed-up, efficiency and the parts of the loss, the largest first', () => {
    expect(said(roundsOf(QUIET))).toEqual([
      '2 workers: 1.67x as fast as one, an efficiency of 83 %; the loss of 17 %: 13 % idle behind the slowest worker, 8 % reduce + update, less 4 % that other parts got cheaper',
      '  1.33 times the speed of one worker of 2 threads',
    ]);
  });

  it('says that nothing is lost where nothing is', () => {
    expect(withTwo(blockOf(2, 100, { forward: 40, backward: 50, update: 10 }))[0]).toBe(
      '2 workers: 2.00x as fast as one, an efficiency of 100 %; nothing is lost',
    );
  });

  it('warns where they are slower than one', () => {
    const lines = withTwo(blockOf(2, 100, { forward: 40, backward: 50, update: 10, idle: 110 }));
    expect(lines).toContain('warning: 2 workers are slower than one: train with --workers 1');
  });

  it('names who is compared, and what to train with instead', () => {
    const two = blockOf(2, 100, { forward: 40, backward: 50, update: 10, idle: 110 });
    const { rows } = summarise(roundsOf(QUIET, ONE, two), [1, 2], { mode: 'strong', cores: 2, seed: 1 });
    const lines = rows.flatMap((row) => conclusionLines(row, { unit: 'ranks', each: 1, cores: 2 }, PLAIN));
    expect(lines[0]).toMatch(/^2 ranks of 1 worker: 0\.95x as fast as one/);
    expect(lines).toContain('warning: 2 ranks of 1 worker are slower than one: train without mpirun');
  });

  it('says why there is no conclusion, with numbers', () => {
    expect(said(roundsOf([1]))).toEqual([
      '2 workers: no conclusion: it takes --repeats 3 or more to see the noise',
      expect.stringMatching(
        /^ {2}as measured: 1\.67x as fast as one, an efficiency of 83 %; the loss of 17 %: 13 % idle/,
      ),
    ]);
    expect(said(roundsOf(QUIET), 1)[0]).toBe(
      '2 workers: no conclusion: the machine has only 1 core, which they have to share',
    );
    expect(withTwo({ ...TWO, withoutCore: 0.3, splitError: -0.05 })[0]).toBe(
      "2 workers: no conclusion: other programs had the workers' cores for 30 % of the time (at most 5 %): stop them; the parts of the time miss its whole by -5.0 %",
    );
  });

  it('warns of what was slower than one also where there is no conclusion', () => {
    const slow = blockOf(2, 100, { forward: 40, backward: 50, update: 10, idle: 110 });
    const lines = said(roundsOf(QUIET, ONE, slow), 1);
    expect(lines.at(-1)).toBe('warning: as measured, 2 workers are slower than one');
  });
});

describe('the sentences about the laws', () => {
  it('do not fake a curve through two points', () => {
    const summary = summarise(roundsOf(QUIET), [1, 2], { mode: 'strong', cores: 2, seed: 1 });
    expect(fitLines(summary)).toEqual([
      "Amdahl's law and the universal one are not fitted: they take 2 and 3 conclusive rows of several workers, there is 1",
    ]);
    const amdahl = { kind: 'amdahl', sigma: 0.05, limit: 20, error: 0.012 } as const;
    expect(fitLines({ ...summary, amdahl })[1]).toMatch(/^universal scalability law: not determined: it takes 3 /);
  });

  it('give the numbers of the curves and how far they are off', () => {
    const amdahl = { kind: 'amdahl', sigma: 0.05, limit: 20, error: 0.012 } as const;
    const universal = { kind: 'universal', sigma: 0.03, kappa: 0.002, bestWorkers: 22, error: 0.008 } as const;
    expect(fitLines({ rows: [], amdahl, universal })).toEqual([
      "Amdahl's law: serial share 5.0 %, at most 20.0x with any number of workers; off by 1.2 %",
      'universal scalability law: contention 3.0 %, coherency 0.20 %, best with 22 workers; off by 0.8 %',
    ]);
    expect(fitLines({ rows: [], amdahl: undefined, universal: undefined })).toEqual([]);
  });
});

describe('a report', () => {
  const network = { nodes: 4, bitsPerSecond: 40e9, rttMilliseconds: 0.2 };
  const traffic = { moved: 127.2e6, sum: 15.9e6, tasks: 25_120, answers: 0 };
  const rounds = roundsOf(QUIET);
  const cost = { divided: 40, repeated: 20, sumBytes: 1e6, taskBytes: 25_120, answerBytes: 0 };
  const lines = scalingLines({
    mode: 'strong',
    unit: 'workers',
    machine: { processor: 'a processor', cores: 2, load: 0.1, node: 'v20.0.0' },
    workload: {
      mode: 'strong',
      preset: 'best',
      strategy: 'data',
      hidden: 5000,
      shards: 4,
      seed: 1,
      data: undefined,
      steps: 20,
      fastSum: false,
      largest: 2,
    },
    network,
    phases: [
      {
        phase: 'finetune',
        rounds,
        traffic: { 1: traffic, 2: traffic },
        cores: 2,
        ...summarise(rounds, [1, 2], { mode: 'strong', cores: 2, seed: 1 }),
        prediction: simulate(cost, network, 'strong'),
      },
    ],
  });

  it('has a line a number of workers in each table, with intervals', () => {
    const rowsOf = (workers: number) => lines.filter((line) => new RegExp(`^ +${workers}  +\\d`).test(line));
    expect(rowsOf(2)[0]).toMatch(/60\.0 \[59\.4, 61\.2\] +1,667 +1\.67 +83 % +20\.0 % +127\.2$/);
    expect(rowsOf(2)[1]).toMatch(/17\.50 +25\.00 +10\.00 +0\.00 +7\.50|17\.50 +25\.00 +10\.00 +7\.50/);
    expect(lines.some((line) => /^1 of 2 threads +80\.0/.test(line))).toBe(true);
  });

  it('ends with the judgement', () => {
    const end = lines.slice(lines.findIndex((line) => line.startsWith('2 workers: ')));
    expect(end.slice(0, 3)).toEqual([expect.any(String), expect.stringContaining('one worker of 2 threads'), '']);
    expect(end[3]).toBe('assumed in the simulation:');
  });

  it('says of a simulation what it assumes, and which size is best', () => {
    expect(lines).toContain('star: best with 2 nodes, 1.27x (64 %)');
    expect(lines).toContain('tree: best with 4 nodes, 1.36x (34 %)');
    expect(lines.filter((line) => line.startsWith('  - ')).length).toBeGreaterThan(3);
  });
});
