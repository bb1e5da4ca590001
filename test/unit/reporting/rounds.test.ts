// Tests what a report shows of rounds: a line for each, the agreement of networks, doubtful images and augmentation. It
// shows none of this if there is none.
import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import type { MetricRecord } from '../../../src/reporting/record.js';
import { runPage } from '../../../src/reporting/run-page.js';
import { record } from './record.js';

const labels = (stage: 'round-1' | 'round-2', flips: number, truth?: { images: number[]; right: number[] }) =>
  ({
    kind: 'labels',
    stage,
    step: 0,
    perClass: [50, 50],
    flips,
    meanConfidence: 0.6,
    confidences: [100],
    ...(truth && { truth }),
  }) as MetricRecord;
const members = (stage: 'round-1' | 'round-2', right?: { each: number[]; together: number }) =>
  ({ kind: 'members', stage, step: 9, images: 500, agreement: 0.934, ...(right && { right }) }) as MetricRecord;

const TITLE = 'Round by round';

describe('rounds of labelling and training', () => {
  it('have a line each, with what is right where that is known', () => {
    const truth = (right: number) => ({ images: [40, 40], right: [right, 40] });
    const metrics = [
      ...[labels('round-1', 71, truth(30)), members('round-1', { each: [0.91, 0.9], together: 0.92 })],
      ...[labels('round-2', 7, truth(38)), members('round-2', { each: [0.94, 0.93], together: 0.95 })],
    ];
    const page = runPage(record({ metrics }));
    const [, table] = page.split(TITLE);
    expect(table).toMatch(/Round 1.*87.50 %.*60.00 %.*–.*93.40 %.*91.0 %, 90.0 %.*92.00 %/s);
    expect(table).toMatch(/Round 2.*97.50 %.*60.00 %.*7.*93.40 %.*94.0 %, 93.0 %.*95.00 %/s);
    // A curve with one look is a point.
    expect(page).not.toContain('Round 1: pseudo-labels');
    expect(page).toContain('Round 2, step 0');
  });

  it('say nothing of what is right where nobody knows', () => {
    const page = runPage(record({ metrics: [labels('round-1', 71), members('round-1'), labels('round-2', 7)] }));
    const [, rest] = page.split(TITLE);
    const table = rest!.split('</table>')[0]!;
    expect(table).toContain('Networks agree');
    expect(table).not.toMatch(/[Rr]ight|Together/);
  });

  it('are not there where there is one alone', () => {
    expect(runPage(record())).not.toContain(TITLE);
  });
});

/** Returns the images of a part of a page. */
const picturesIn = (part: string): ReturnType<typeof decode>[] =>
  Array.from(part.matchAll(/<img src="data:image\/png;base64,([^"]*)"/g), ([, png]) =>
    decode(Buffer.from(png!, 'base64')),
  );

describe('doubtful images', () => {
  it('are shown with their label, its weight and, where it is wrong, the true one', () => {
    const page = runPage(record());
    expect(page).toContain('dots.png: 7, 12 %, is 1');
    const right = { ...record().doubtful!.images[0]!, known: 7 };
    const [, part] = runPage(record({ doubtful: { ...record().doubtful!, images: [right] } })).split('Doubtful');
    expect(part).toContain('7, 12 %<');
  });
});

describe('views of images', () => {
  it('are rows of pictures, in colour too', () => {
    const pixels = Buffer.from([200, 10, 0, 0, 10, 200]).toString('base64');
    const shown = [
      { view: 'original', pixels: [pixels, pixels] } as const,
      { view: 'unlabelled', step: 1, pixels: [pixels, pixels] } as const,
    ];
    const views = { rows: 1, columns: 2, channels: 3, sets: [{ stage: 'round-1' as const, shown }] };
    const [, part] = runPage(record({ views })).split('How images are changed</h2>');
    const pictures = picturesIn(part!.split('<h2')[0]!);
    expect(pictures).toHaveLength(4);
    expect(pictures[3]).toMatchObject({ width: 2, height: 1, channels: 3 });
    expect([...pictures[3]!.data]).toEqual([200, 10, 0, 0, 10, 200]);
    expect(part).toContain('Changed, step 1'); // no other view stands beside it
    expect(runPage(record())).toMatch(/Weak view, step 0.*Strong view, step 0/s);
  });

  it('and doubtful images are not there where a run has none', () => {
    const page = runPage(record({ views: undefined, doubtful: undefined }));
    expect(page).not.toMatch(/Doubtful|How images are changed/);
  });
});
