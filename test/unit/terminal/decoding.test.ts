// Tests the progress of decoding images: a line that is redrawn on a terminal, and otherwise a line every few seconds.
import { expect, it } from 'vitest';
import { DecodingProgress } from '../../../coordinator/terminal/decoding.js';
import { terminalWith } from './streams.js';

function shown(isTTY: boolean): string {
  const { terminal, stderr } = terminalWith(isTTY);
  let now = 0;
  const progress = new DecodingProgress(terminal, () => now);
  for (let done = 1000; done <= 12_000; done += 1000) {
    progress.decoded(done, 12_000);
    now += 1000;
  }
  return stderr();
}

it('is a bar on a terminal, and a line every four seconds elsewhere', () => {
  expect(shown(true)).toContain('\r[##########..........]  decoding pictures 6,000/12,000');
  expect(shown(false).split('\n')).toEqual([
    '  decoding pictures 5,000/12,000  5.6 s left',
    '  decoding pictures 9,000/12,000  2.7 s left',
    '  decoded 12,000 pictures in 11.0 s',
    '',
  ]);
});
