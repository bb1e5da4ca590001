// Shows the progress of decoding images: on a terminal as one line that is redrawn, otherwise as a line every few
// seconds.
import { bar, duration, whole } from '../../src/format.js';
import type { Terminal } from './terminal.js';

const REDRAW_MS = 100;
const LINE_MS = 4000;
const BAR = 20;

export class DecodingProgress {
  private began: number | undefined;
  private shownAt = 0;

  /** now: returns milliseconds. */
  constructor(
    private readonly terminal: Pick<Terminal, 'isLive' | 'log' | 'note' | 'draw'>,
    private readonly now: () => number = () => performance.now(),
  ) {}

  decoded(done: number, of: number): void {
    const at = this.now();
    if (this.began === undefined) this.began = this.shownAt = at;
    const { isLive, log } = this.terminal;
    const seconds = (at - this.began) / 1000;
    if (done === of) this.terminal.note(`  decoded ${whole(of)} pictures in ${duration(seconds)}`);
    if (done === of || at - this.shownAt < (isLive && !log ? REDRAW_MS : LINE_MS)) return;
    this.shownAt = at;
    const text = `decoding pictures ${whole(done)}/${whole(of)}  ${duration((seconds * (of - done)) / done)} left`;
    if (isLive && !log) this.terminal.draw(`${bar(done / of, BAR)}  ${text}`);
    else this.terminal.note(`  ${text}`);
  }
}
