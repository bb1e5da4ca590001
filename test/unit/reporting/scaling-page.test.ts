// Tests the report of a scaling measurement: plots that show what was measured, and a page that needs nothing else.
import { describe, expect, it } from 'vitest';
import { svgOf } from '../../../src/reporting/chart.js';
import { SCALING } from '../../../src/reporting/record.js';
import {
  efficiencyChart,
  type MeasuredPhase,
  plotsOf,
  scalingPage,
  speedUpChart,
  splitStacks,
} from '../../../src/reporting/scaling-page.js';
import { simulate } from '../../../src/scaling/simulate.js';
import { summarise } from '../../../src/scaling/summary.js';
import { roundsOf } from '../scaling/blocks.js';

const rounds = roundsOf([1, 1.1, 0.95, 1.02, 1]);
const summary = summarise(rounds, [1, 2], { mode: 'strong', cores: 2, seed: 1 });
const measured: MeasuredPhase = { phase: 'finetune', unit: 'workers', rows: summary.rows };

const cost = { divided: 40, repeated: 20, sumBytes: 15.9e6, taskBytes: 25_120, answerBytes: 0 };
const prediction = simulate(cost, { nodes: 4, bitsPerSecond: 10e9, rttMilliseconds: 0.2 }, 'strong');
const page = scalingPage({
  name: '<mine>',
  mode: 'strong',
  facts: [['Processor', 'a & b']],
  link: 'fast links',
  phases: [{ ...measured, rounds: 5, megabytes: { 1: 95.4, 2: 127.2 }, words: ['2 workers: <fast>'], prediction }],
});

describe('the plots of a scaling measurement', () => {
  it('are the speed-up and the efficiency, beside what is ideal, with the interval of each', () => {
    const [two] = summary.rows.slice(1);
    const speedUp = speedUpChart(measured);
    expect(speedUp.lines.map(({ name }) => name)).toEqual(['measured', 'ideal', '1 worker, N threads']);
    expect(speedUp.lines[0]!.points).toEqual([
      [1, 1],
      [2, two!.speedUp.value],
    ]);
    // The comparison of one with itself has no error.
    expect(speedUp.lines[0]!.intervals).toEqual(
      two!.speedUp.low === two!.speedUp.high ? [] : [[2, two!.speedUp.low, two!.speedUp.high]],
    );
    expect(speedUp.lines[1]!.points).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(efficiencyChart(measured).lines[1]!.points).toEqual([
      [1, 1],
      [2, 1],
    ]);
  });

  it('count processes where workers come by the process', () => {
    const processes = summary.rows.map((row) => ({ ...row, workers: 3 * row.workers }));
    const chart = speedUpChart({ ...measured, unit: 'processes', rows: processes });
    expect(chart.lines[1]!.points).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect(splitStacks({ ...measured, unit: 'processes', rows: processes }).bars).toEqual(['1', '2']);
  });

  it('stack the parts of the time so that the bar is the step', () => {
    const { parts, bars } = splitStacks(measured);
    expect(bars).toEqual(['1', '2']);
    for (const [r, row] of summary.rows.entries()) {
      const height = parts.reduce((sum, { values }) => sum + values[r]!, 0);
      expect(height).toBeCloseTo(row.millisecondsPerStep.value, 6);
    }
    expect(parts.map(({ name }) => name)).not.toContain('predict');
  });

  it('are whole SVG documents, with an error bar of three strokes for each interval', () => {
    const files = plotsOf(measured);
    expect(files.map(([file]) => file)).toEqual(['speed-up', 'efficiency', 'time'].map((id) => `finetune-${id}.svg`));
    for (const [, svg] of files)
      expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>$/);
    expect(files[0]![1]).toContain('<title>finetune: speed-up, with 95 % intervals</title>');
    expect(files[2]![1]).toContain('<title>finetune: where a worker&#39;s time goes</title>');
    const point = (intervals: readonly (readonly [number, number, number])[]) => {
      const line = { name: 'a', points: [[1, 1] as const], intervals };
      return svgOf({ id: 'x', title: 'X', x: 'workers', unit: 'number', lines: [line] });
    };
    const strokes = (svg: string) => svg.match(/stroke-width="1\.2"/g)?.length ?? 0;
    expect(strokes(point([[1, 0.9, 1.2]])) - strokes(point([]))).toBe(3);
  });
});

describe('the page of a scaling measurement', () => {
  it('has a drawing and the numbers of each plot, and escapes what it is given', () => {
    expect(page.match(/<svg role="img" aria-label="(Line|Bar) chart\. [^"]{20,}"/g)).toHaveLength(3);
    expect(page).toContain('2 workers: &lt;fast&gt;');
    expect(page).not.toContain('<mine>');
    expect(page).not.toMatch(/<(script|link|iframe|object|embed|base|form)\b|@import|url\((?!#)/i);
    expect(page.match(/<caption>[^<]/g)).toHaveLength(page.match(/<table\b/g)!.length);
    expect(page).toMatch(/<th scope="row" role="rowheader">2<\/th><td role="cell" data-column="ms a step">60\.\d \[/);
  });

  it('is made of what the file says, whatever version wrote it', () => {
    const written = JSON.parse(
      JSON.stringify({
        mode: 'strong',
        machine: { processor: 'a', cores: 2, load: 0.1, node: 'v20' },
        workload: { preset: 'best', hidden: 64, seed: 1, steps: 4 },
        phases: [{ phase: 'finetune', rounds, traffic: { 1: { moved: 1 }, 2: { moved: 2 } }, ...summary, prediction }],
      }),
    );
    const { phases } = SCALING.parse(written);
    expect(phases[0]!.rows[1]).toMatchObject({ workers: 2, split: summary.rows[1]!.split });
    delete written.phases[0].rows[1].split.idle;
    expect(SCALING.parse(written).phases[0]!.rows[1]!.split.idle).toBe(0);
    expect(() => SCALING.parse({ ...written, phases: [{ ...written.phases[0], phase: '../../x' }] })).toThrow();
    expect(() => SCALING.parse({ ...written, phases: [] })).toThrow();
  });
});
