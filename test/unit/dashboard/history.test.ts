// Tests what a page is told: everything when it connects, then only what is new, and nothing twice.
import { describe, expect, it } from 'vitest';
import { History } from '../../../coordinator/dashboard/history.js';
import { Lanes } from '../../../coordinator/dashboard/lanes.js';
import type { RunInfo } from '../../../coordinator/dashboard/messages.js';
import { Series } from '../../../coordinator/dashboard/page/series.js';
import type { MetricRecord } from '../../../src/reporting/record.js';
import { METRICS } from '../reporting/record.js';

const INFO: RunInfo = {
  name: 'mine',
  title: 'Mine',
  hasReport: false,
  stages: [
    { title: 'Pre-training', steps: 100 },
    { title: 'Fine-tuning', steps: 40 },
  ],
};
const historyOf = (past: readonly MetricRecord[] = []) => new History(INFO, ['pretrain', 'finetune'], past, undefined);

describe('a history', () => {
  it('told in pieces adds up to the whole', () => {
    const history = historyOf(METRICS.slice(0, 7));
    const series = new Series(history.everything());
    let cursor = history.cursor;
    for (const metric of METRICS.slice(7)) {
      history.measured(metric);
      series.add(history.since(cursor));
      cursor = history.cursor;
    }
    const { steps: _, ...late } = new Series(history.everything());
    expect(series).toMatchObject(late);
    expect(series.steps).toEqual(Array.from({ length: 20 }, (_, step) => 100 + step));
    expect(history.since(cursor)).toMatchObject({ steps: [], labels: [], validations: [], events: [] });
  });

  it('has class shares once, however many rounds choose the same', () => {
    const history = historyOf();
    for (const step of [0, 10])
      history.measured({ kind: 'shares', stage: 'finetune', step, source: 'given', shares: [0.5, 0.5] });
    expect(history.everything().events.map(({ text }) => text)).toEqual(['class shares as given: equal, 50.0 % each']);
  });

  it('has the end of a run, and what was said', () => {
    const history = historyOf();
    history.say('something');
    history.ends('ended', 'the end');
    const { state, events } = history.everything();
    expect(state).toBe('ended');
    expect(events.map(({ text }) => text)).toEqual(['something', 'the end']);
  });
});

describe('the series of a page', () => {
  const history = historyOf(METRICS);
  const series = new Series(history.everything());

  it('lie one stage after the other, with gaps where there is nothing', () => {
    expect(series.pseudoLabelled.slice(8, 12)).toEqual([null, null, 0.5, 0.5]);
    expect(series.counted.slice(8, 12)).toEqual([null, null, 0.75, 0.75]);
    expect(series.reconstruction.every((value) => value === null)).toBe(true);
    expect(series.right[0]).toBeCloseTo(0.87, 12);
    expect(series.validations).toEqual([119]);
  });

  it('know what is done and what is left of the whole run', () => {
    expect([series.done(0), series.done(1), series.stepsLeft()]).toEqual([100, 20, 20]);
    expect(new Series(historyOf().everything()).stepsLeft()).toBe(140);
  });

  it('have a mark at the last step before a node came or went', () => {
    const marked = historyOf(METRICS);
    const page = new Series(historyOf().everything());
    marked.mark('joined', 'a joined');
    page.add(marked.since({ ...marked.cursor, marks: 0, events: 0 }));
    marked.mark('gone', 'a is gone');
    page.add(marked.since({ ...marked.cursor, marks: 1, events: 1 }));
    expect(page.marks).toEqual([
      { x: 119, kind: 'joined' },
      { x: 119, kind: 'gone' },
    ]);
    expect(page.events.map(({ text }) => text)).toEqual(['a joined', 'a is gone']);
    expect(new Series(marked.everything()).marks).toEqual(page.marks);
  });

  it('have the last labels of each round, and what its networks agree on, and curves of rounds as of any stage', () => {
    const info = { ...INFO, stages: [1, 2].map((n) => ({ title: `Round ${n}`, steps: 10 })) };
    const members = (stage: 'round-1' | 'round-2', agreement: number): MetricRecord => ({
      kind: 'members',
      stage,
      step: 9,
      images: 500,
      agreement,
    });
    const [labels, step] = [METRICS[0]!, METRICS.findLast(({ kind }) => kind === 'step')!];
    const past = (['round-1', 'round-2'] as const).flatMap((stage, r): MetricRecord[] => [
      ...[labels, step].map((metric) => ({ ...metric, stage, step: 0 }) as MetricRecord),
      members(stage, r === 0 ? 0.9 : 0.95),
    ]);
    const { rounds, agreement, membersAsked, flips, alpha } = new Series(
      new History(info, ['round-1', 'round-2'], past, undefined).everything(),
    );
    expect([...rounds.values()].map((round) => [round.agreement, round.isFirst])).toEqual([
      [0.9, true],
      [0.95, false],
    ]);
    expect([agreement, membersAsked]).toEqual([
      [0.9, 0.95],
      [9, 19],
    ]);
    expect(flips).toEqual([null, 0]);
    expect(alpha).toEqual([3, 3]);
  });

  it('have a speed only of steps whose time is known, of one stage', () => {
    expect(series.speed()).toBeUndefined();
    const empty = {
      labels: [],
      validations: [],
      members: [],
      events: [],
      lanes: [],
      nodes: [],
      marks: [],
      state: 'running',
    } as const;
    const step = (stage: number, n: number, at: number | null) => [stage, n, at, 1, 1, 0, 0, 0, 288] as const;
    const live = new Series({ info: INFO, ...empty, steps: [step(0, 98, null), step(0, 99, 1000), step(1, 0, 2000)] });
    expect(live.speed()).toBeUndefined();
    live.add({ ...empty, steps: [step(1, 1, 2250), step(1, 2, 2500)] });
    expect(live.speed()).toEqual({ steps: 4, rows: 1152 });
  });
});

describe('the lanes of workers', () => {
  const call = (answered: number, ...workers: number[]) => ({
    answered,
    tasks: workers.map((worker) => ({
      worker,
      parts: [
        ['forward', 10 * worker],
        ['backward', 5],
      ] as const,
    })),
  });

  it('are the shares of the last two seconds, of workers that were seen lately, each greeted once', () => {
    const found: number[] = [];
    const lanes = new Lanes((worker) => found.push(worker));
    expect(lanes.shares()).toEqual([]);
    for (let at = 0; at <= 20_000; at += 100) lanes.traced(call(at, ...(at < 5000 ? [1, 2] : [2, 3])));
    expect(found).toEqual([1, 2, 3]);
    const shares = lanes.shares();
    expect(shares.map(({ worker }) => worker)).toEqual([2, 3]);
    expect(shares[0]!.shares.map(([part]) => part)).toEqual(['forward', 'backward']);
    expect(shares[0]!.shares[0]![1]).toBeCloseTo(0.2, 1);
    expect(shares[1]!.shares[0]![1]).toBeCloseTo(0.3, 1);
  });
});
