// Says every few seconds what a command is busy with, when it has said nothing else: nobody should have to guess whether it stands still.
import { duration } from '../../src/format.js';

/** Below the five seconds after which people begin to wonder. */
const QUIET_MS = 4500;
/** Programs that read the log of a run take a second without an event for a fault. */
const QUIET_LOG_MS = 900;
const LOOK_MS = 100;
/** A file of lines has the first of them, and then one now and then: somebody reads all of them later. */
const FIRST_LINES = 3;
const LATER_LINES_MS = 30_000;

/** How it is said: on a line of its own, redrawn on a terminal, or as an object. */
interface Voice {
  /** 'live': on a line that is redrawn; 'lines': each on one of its own; 'json': as objects. */
  readonly form: () => 'live' | 'lines' | 'json';
  say(what: string, seconds: number): void;
}

export class Waiting {
  private what: string | undefined;
  private since = 0;
  private spokeAt = 0;
  /** Lines about what is going on, and when the last of them was due. */
  private lines = 0;
  private lineAt = 0;
  private timer: NodeJS.Timeout | undefined;

  /** now: in milliseconds. */
  constructor(
    private readonly voice: Voice,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** what: is going on from now, as 'reading images'; undefined: nothing that anybody waits for. */
  begins(what: string | undefined): void {
    if (what === this.what) return;
    this.what = what;
    this.since = this.now();
    this.lines = 0;
    if (what === undefined) {
      clearInterval(this.timer);
      this.timer = undefined;
      return;
    }
    if (this.timer) return;
    this.spokeAt = this.since;
    this.timer = setInterval(() => this.look(), LOOK_MS).unref();
  }

  /** Something else was said. */
  spoke(): void {
    this.spokeAt = this.now();
  }

  /** Whether a file of lines should have one now about what is going on. Whoever asks writes it. */
  isDue(): boolean {
    const now = this.now();
    if (this.voice.form() === 'lines' && this.lines >= FIRST_LINES && now - this.lineAt < LATER_LINES_MS) return false;
    this.lines += 1;
    this.lineAt = now;
    return true;
  }

  look(): void {
    const now = this.now();
    const quiet = this.voice.form() === 'json' ? QUIET_LOG_MS : QUIET_MS;
    if (this.what === undefined || now - this.spokeAt < quiet) return;
    if (!this.isDue()) return;
    this.spokeAt = now;
    this.voice.say(this.what, (now - this.since) / 1000);
  }
}

/** '  still reading images, for 9.0 s' */
export const stillLine = (what: string, seconds: number): string => `  still ${what}, for ${duration(seconds)}`;
