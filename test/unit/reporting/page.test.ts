// Tests the pages as text: they are complete, safe for any files of a run, and need nothing else.
import fc from 'fast-check';
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import {
  compared,
  comparedCells,
  comparePage,
  repetitionsOf,
  summaryText,
} from '../../../src/reporting/compare-page.js';
import { repeatLine, settingsTable } from '../../../src/reporting/numbers.js';
import { html } from '../../../src/reporting/page.js';
import type { RunRecord } from '../../../src/reporting/record.js';
import { reproductionPage } from '../../../src/reporting/reproduction-page.js';
import { runPage } from '../../../src/reporting/run-page.js';
import { sweepPage } from '../../../src/reporting/sweep-page.js';
import { record } from './record.js';

const ROW = {
  name: 'DropNN+PL',
  paper: 83.85,
  report: 72.28,
  accuracy: 75.56,
  deviation: 1.5,
  aboveReport: true,
  steps: 20,
  seconds: 61,
  imagesPerSecond: 1234,
};

const PAGES: readonly (readonly [name: string, make: (run: RunRecord) => string])[] = [
  ['a run', runPage],
  [
    'a reproduction',
    (run) => reproductionPage(run.name, [ROW], [{ title: run.name, folder: run.name, record: run }], 1),
  ],
  ['a comparison', (run) => comparePage([run, record({ name: 'other', config: { scenario: 'pl', hidden: 128 } })])],
];

const count = (text: string, part: RegExp): number => text.match(part)?.length ?? 0;

describe('html', () => {
  it('puts nothing into a page that could be markup', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const { text: made } = html`${text}`;
        expect(made).not.toMatch(/[<>"']/);
        expect(made.replace(/&(amp|lt|gt|quot|#39);/g, '')).not.toContain('&');
      }),
    );
    expect(html`<p title="${'"<&>'}">${html`<b>${"'"}</b>`}${[1, undefined, 'x']}</p>`.text).toBe(
      '<p title="&quot;&lt;&amp;&gt;"><b>&#39;</b>1x</p>',
    );
  });
});

describe.each(PAGES)('the page of %s', (_, make) => {
  it('needs nothing from elsewhere, and forbids itself to load or run anything', () => {
    const page = make(record());
    expect(page).toContain(`content="default-src &#39;none&#39;; style-src &#39;unsafe-inline&#39;; img-src data:"`);
    expect(page).not.toMatch(/<(script|link|iframe|object|embed|base|form)\b|@import|url\((?!#)/i);
    const targets = Array.from(page.matchAll(/\b(?:src|href)="([^"]*)"/g), ([, target]) => target!);
    for (const target of targets)
      expect(target).toMatch(/^data:image\/png;base64,|^[\w.%-]+\/report\.html$|^#[a-z-]+$/);
  });

  it('has one title, headings in order, a caption for each table, and words for each picture', () => {
    const page = make(record());
    expect(count(page, /<h1>/g)).toBe(1);
    expect(count(page, /<h2>/g)).toBeGreaterThanOrEqual(3);
    expect(count(page, /<caption>[^<]/g)).toBe(count(page, /<table\b/g));
    expect(count(page, /<svg role="img" aria-label="(?:Line|Bar) chart\. [^"]{20,}"/g)).toBe(count(page, /<svg\b/g));
    expect(count(page, /<img [^>]*alt="[^"]{10,}"/g)).toBe(count(page, /<img\b/g));
    expect(count(page, /<th scope="(col|row)"/g)).toBe(count(page, /<th\b/g));
  });

  it('shows what a run says as text, whatever that is', () => {
    const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&`;
    const { result } = record();
    const page = make(
      record({
        name: evil,
        config: { scenario: 'pl', [evil]: evil },
        result: { ...result!, preset: evil, split: evil, weightsSha256: evil, secondsByPhase: { [evil]: 1 } },
        machine: { [evil]: evil },
      }),
    );
    expect(page).not.toContain('<script');
    expect(page).not.toContain('<img src=x');
    expect(page).toContain('&lt;script&gt;');
  });

  it('leaves nothing of the light colours in its charts, which would stay light in the dark', () => {
    expect(count(make(record()), /(?:fill|stroke)="#(?!000"|fff")/g)).toBe(0);
  });
});

describe('the page of a run', () => {
  it('says what came out, against paper and report, and that the quality of pseudo-labels is known only here', () => {
    const page = runPage(record());
    for (const text of [
      '75.56 %',
      '83.85 %',
      '72.28 %',
      'Only for judging',
      'is 4, taken for 9 with 99.8 %',
      '1,235 images/s',
    ])
      expect(page).toContain(text);
    expect(page).toContain('>75 %</td>'); // of class 0, 30 of 40
    expect(page).toMatch(/Original.*Noisy.*Reconstructed/s);
  });

  it('has no published figures where a run cannot be held against them (case 27)', () => {
    for (const options of [{ data: '/elsewhere' }, { labelsPerClass: 100 }, { labelsPerClass: 'all' }]) {
      const page = runPage(record({ config: { scenario: 'pl', ...options } }));
      expect(page).toContain('75.56 %');
      for (const published of ['Paper', 'Report', '83.85', '72.28']) expect(page).not.toContain(published);
    }
    expect(runPage(record({ config: { scenario: 'pl', labelsPerClass: 10 } }))).toContain('83.85 %');
  });

  it('calls classes by their names (case 4)', () => {
    const images = { train: 100, known: 100, labelled: 20, validation: 0, test: 20 };
    const classNames = ['three', 'eight', '2', '3', 'four', '5', '6', '7', '8', 'nine'];
    const page = runPage(record({ data: { name: 'mine', sha256: 'ab', classNames, images } }));
    expect(page).toContain('is four, taken for nine with');
    expect(page).toContain('<th scope="row">three</th>'); // of the confusion matrix
    expect(page.match(/<th scope="col"[^>]*>eight</g)).toHaveLength(3); // of it, and of two tables of pseudo-labels
  });

  it('has no table of hundreds of columns where there are hundreds of classes, and cuts long names', () => {
    const classes = 300;
    const [each, zeros] = [Array(classes).keys(), new Array<number>(classes).fill(0)];
    const confusion = [...each].map((label) => zeros.map((_, other) => (other === label ? 8 : Number(other === 0))));
    const metrics = record().metrics.map((metric) => {
      if (metric.kind !== 'labels') return metric;
      const counts = zeros.map((_, other) => other);
      return { ...metric, perClass: counts, truth: { images: counts, right: counts.map((count) => count >> 1) } };
    });
    const images = { train: 100, known: 100, labelled: 20, validation: 0, test: 20 };
    const classNames = zeros.map((_, other) => `the class of all things numbered ${other}`);
    const data = { name: 'mine', sha256: 'ab', classNames, images };
    const page = runPage(record({ metrics, data, result: { ...record().result!, confusion }, mistakes: undefined }));
    expect(count(page, /<td\b/g)).toBeLessThan(500);
    expect(page).toContain('The pairs of classes that are confused most, of 300 classes');
    expect(page).toContain('(12 of 300 classes: the largest at the end)');
    expect(page).toContain('and 200 more');
    expect(page).toContain('<th scope="col">the class of al…</th>');
    expect(page).not.toContain('NaN');
  });

  it('shows pictures in their colours', () => {
    const pixels = Buffer.from([255, 0, 0, 0, 255, 0]).toString('base64');
    const images = [{ image: 0, label: 0, predicted: 1, confidence: 0.9, pixels }];
    const page = runPage(record({ mistakes: { rows: 1, columns: 2, channels: 3, images } }));
    const [, png] = /src="data:image\/png;base64,([^"]+)" width="2" height="1"/.exec(page)!;
    const { channels, data } = decode(Buffer.from(png!, 'base64'));
    expect([channels, ...data]).toEqual([3, 255, 0, 0, 0, 255, 0]);
  });

  it('leaves out what nobody knows, and says so (cases 3 and 14)', () => {
    const images = { train: 100, known: 20, labelled: 20, validation: 0, test: 0 };
    const unknown = record().metrics.map((metric) =>
      metric.kind === 'labels' ? { ...metric, truth: undefined } : metric,
    );
    const result = { ...record().result!, testAccuracy: undefined, confusion: undefined };
    const data = { name: 'mine', sha256: 'ab', classNames: ['3', '8'], images };
    const page = runPage(record({ data, metrics: unknown, result, mistakes: undefined }));
    for (const text of ['Only for judging', 'Accuracy on the test images', '83.85', 'NaN', 'test image'])
      expect(page).not.toContain(text);
    expect(page).toMatch(/of which nobody knows the label<\/th><td>80</);
    expect(page).toContain('none: no test accuracy is measured');
    expect(page).toContain('The first training images after pre-training');
    const partly = runPage(record({ data: { ...data, images: { ...images, known: 50 } } }));
    expect(partly).toContain('is known here only of the images whose label this data set has');
  });

  it('is made of a run that has only begun', () => {
    const nothing = { result: undefined, mistakes: undefined, reconstructions: undefined, machine: undefined };
    const page = runPage(record({ metrics: [], ...nothing }));
    expect(page).toContain('has not ended yet');
    expect(page).not.toContain('<svg');
  });
});

describe('a comparison', () => {
  it('names the options that differ, and has a row of cells a run', () => {
    const comparison = compared([
      record(),
      record({ name: 'other', result: undefined, config: { scenario: 'pl', hidden: 128 } }),
    ]);
    expect(comparison.differences).toEqual([{ option: 'hidden', values: ['64', '128'] }]);
    expect(comparedCells(comparison)).toEqual([
      ['mine', 'DropNN+PL', '', '1', '75.56 %', '–', '87.00 %', '20', '1m 01s', '1,235', 'abababababab'],
      ['other', 'DropNN+PL', '', '–', '–', '–', '87.00 %', '–', '–', '–', '–'],
    ]);
  });
});

describe('a comparison of repetitions', () => {
  it('has the mean and the deviation of runs that differ in seed and split alone', () => {
    const run = (name: string, seed: number, testAccuracy: number, hidden = 64): RunRecord =>
      record({ name, config: { scenario: 'pl', hidden, seed }, result: { ...record().result!, seed, testAccuracy } });
    const runs = [run('a', 1, 0.8), run('b', 2, 0.9), run('wide', 1, 0.95, 128)];
    const [both, wide] = repetitionsOf(runs);
    expect(both).toMatchObject({ title: 'DropNN+PL, hidden 64', runs: 2, validation: undefined });
    expect(summaryText(both!.test)).toBe('85.00 ± 7.07');
    expect(wide).toMatchObject({ title: 'wide', runs: 1, test: { mean: 95, deviation: undefined } });
    expect(comparePage(runs)).toContain('85.00 ± 7.07');
  });
});

describe('the contents of a page', () => {
  it('are links to its sections, of which the first has the answer', () => {
    const page = runPage(record());
    const targets = Array.from(page.matchAll(/href="#([a-z-]+)"/g), ([, id]) => id!);
    expect(targets).toEqual(Array.from(page.matchAll(/<section id="([a-z-]+)"/g), ([, id]) => id!));
    expect(targets[0]).toBe('result');
    expect(targets.at(-1)).toBe('numbers');
  });

  it('come after the word that a run was a trial', () => {
    const page = runPage(record({ config: { scenario: 'pl', quick: true, maxSteps: 20 } }));
    expect(page.indexOf('This is a trial')).toBeGreaterThan(0);
    expect(page.indexOf('This is a trial')).toBeLessThan(page.indexOf('aria-label="Contents"'));
    expect(page).toContain('ended after 20 steps');
    expect(runPage(record())).not.toContain('This is a trial');
  });
});

describe('the numbers of a run', () => {
  const lineOf = (config: object) => repeatLine({ scenario: 'pl', ...config });

  it('say how to train it again in one line, without what changes no weights', () => {
    expect(lineOf({ scenario: 'dae', preset: 'best', quick: true, seed: 1, workers: 4, shards: 8 })).toBe(
      'pseudolabel train --scenario dae --quick --shards 8',
    );
    expect(lineOf({ data: "Ann's pictures", set: { 'finetune.threshold': 0.9 }, splitSeed: 3 })).toBe(
      "pseudolabel train --data 'Ann'\\''s pictures' --set finetune.threshold=0.9",
    );
    expect(lineOf({ split: 'random', splitSeed: 3, classShares: [0.25, 0.75] })).toBe(
      'pseudolabel train --split random --split-seed 3 --class-shares 0.25,0.75',
    );
    expect(lineOf({ preset: 'custom' })).toBeUndefined();
  });

  it('have the hyper-parameters by the paths that --set takes', () => {
    const model = {
      kind: 'dense',
      inputDropout: 0.2,
      layers: [
        { inputs: 4, units: 8, dropout: 0.5 },
        { units: 2, dropout: 0 },
      ],
    };
    const stages = [{ name: 'finetune', model, rate: { initial: 0.001 }, method: { threshold: 0.8 } }];
    const { text } = settingsTable(record({ config: { scenario: 'pl', stages } }))!;
    for (const part of [
      'rate.initial',
      '0.001',
      'method.threshold',
      'dense 4-8-2, dropout 0.2, 0.5',
      'Fine-tuning (finetune)',
    ])
      expect(text).toContain(part);
    expect(settingsTable(record())).toBeUndefined();
  });
});

describe('the page of a sweep', () => {
  it('has the best first, with deviations, and says what has not ended', () => {
    const rows = [
      { title: 'finetune.threshold=0.9', runs: 2, mean: 90.5, deviation: 0.25, seconds: 2 },
      { title: 'finetune.threshold=0.7', runs: 1, mean: 89, deviation: undefined, seconds: 3 },
    ];
    const run = { title: 'finetune.threshold=0.9, seed 1', folder: '1-seed-1', record: record() };
    const page = sweepPage('mine', rows, [run], [run], 4);
    for (const text of ['1 of 4 runs have ended', '90.50', '0.25', '90.50 % ± 0.25', '1-seed-1'])
      expect(page).toContain(text);
    expect(page.indexOf('90.50')).toBeLessThan(page.indexOf('89.00'));
    expect(sweepPage('mine', [], [], [], 4)).toContain('No run has ended yet.');
  });
});
