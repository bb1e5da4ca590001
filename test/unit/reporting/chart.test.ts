// Tests what charts are made of, and that they lose and invent nothing of a run.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { descriptionOf, svgOf, thinned } from '../../../src/reporting/chart.js';
import { chartsOf, comparedCharts } from '../../../src/reporting/curves.js';
import { record } from './record.js';

describe('a chart', () => {
  it('is one SVG document, with every name escaped and a dash pattern of its own for each line', () => {
    const points = [[0, 1] as const, [5, 2] as const];
    const lines = ['a', '<b>', 'c'].map((name) => ({ name, points }));
    const svg = svgOf({ id: 'x', title: 'X', x: 'step', unit: 'number', lines });
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"[\s\S]*<\/svg>$/);
    expect(svg).toContain('&lt;b&gt;');
    expect(svg).not.toContain('<b>');
    const dashes = Array.from(svg.matchAll(/stroke-width="1\.8"(?: stroke-dasharray="([^"]*)")?/g), ([, dash]) => dash);
    expect(new Set(dashes).size).toBe(3);
  });

  it('keeps the mean of its points when there are too many to draw', () => {
    const values = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 3000 });
    fc.assert(
      fc.property(values, (ys) => {
        const points = ys.map((y, x) => [x, y] as const);
        const found = thinned(points);
        expect(found.length).toBeLessThanOrEqual(200);
        if (ys.length <= 200) expect(found).toEqual(points);
        const [low, high] = [Math.min(...ys), Math.max(...ys)];
        for (const [, y] of found) expect(y >= low - 1e-9 && y <= high + 1e-9).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

describe('the curves of a run', () => {
  const { training, quality } = chartsOf(record());

  it('are those of the stages and measures that it has', () => {
    expect(training.map(({ id }) => id)).toEqual(
      ['loss', 'alpha', 'counted', 'validation'].map((id) => `finetune-${id}`),
    );
    expect(quality.map(({ lines }) => lines.map(({ name }) => name))).toEqual([
      ['Right', 'Mean confidence', 'Changed'],
    ]);
    expect(chartsOf(record({ metrics: [] }))).toEqual({ training: [], quality: [] });
  });

  it('show a measure only where there is one: no loss of pseudo-labels before they count', () => {
    const [labelled, pseudo] = training[0]!.lines;
    expect(labelled!.points).toHaveLength(20);
    expect(pseudo!.points.map(([step]) => step)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
    expect(training[2]!.lines[0]!.points[0]).toEqual([10, 0.75]);
    expect(quality[0]!.lines[0]!.points[0]).toEqual([0, 0.87]);
  });

  it('leave out a weight and a share that are 1 all the way', () => {
    const all = record().metrics.map((each) =>
      each.kind === 'step' ? { ...each, alpha: 1, counted: each.unlabelled } : each,
    );
    const ids = chartsOf(record({ metrics: all })).training.map(({ id }) => id);
    expect(ids).toEqual(['finetune-loss', 'finetune-validation']);
  });

  it('are described in words, with first and last value', () => {
    expect(descriptionOf(training[1]!)).toBe(
      'Line chart. Fine-tuning: weight of the pseudo-labels: alpha(t) goes from 0 at step 0 to 3 at step 19.',
    );
  });

  it('of several runs lie over each other, a line a run', () => {
    const charts = comparedCharts([record(), record({ name: 'other', metrics: [] }), record({ name: 'third' })]);
    for (const { lines } of charts) expect(lines.map(({ name }) => name)).toEqual(['mine', 'third']);
  });
});
