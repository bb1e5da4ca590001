// Says every few seconds what a command is doing if it has said nothing else, so that nobody has to guess whether it
// hangs.
import { duration } from '../../src/format.js';

/** Less than the five seconds after which people begin to wonder. */
const QUIET_MS = 4500;
/** Programs that read the log of a run take a second without an event for a fault. */
const QUIET_LOG_MS = 900;
const LOOK_MS = 100;
/**
 * A file of lines gets the first of these lines, and then one every half minute, because somebody reads all of them
 * later.
 */
const FIRST_LINES = 3;
const LATER_LINES_MS = 30_000;

/** How the command speaks. */
interface Voice {
  /** 'live': on a line that is redrawn; 'lines': each on a line of its own; 'json': as objects. */
  readonly form: () => 'live' | 'lines' | 'json';
  say(what: string, seconds: number): void;
}

export class Waiting {
  private what: string | undefined;
  private since = 0;
  private spokeAt = 0;
  /** The number of lines about what is going on, and the time at which the last of them was due. */
  private lines = 0;
  private lineAt = 0;
  private timer: NodeJS.Timeout | undefined;

  /** now: returns milliseconds. */
  constructor(
    private readonly voice: Voice,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Sets what is going on from now, such as 'reading images'; undefined: nothing that a user waits for. */
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

  /** Notes that something else was said. */
  spoke(): void {
    this.spokeAt = this.now();
  }

  /** Returns whether a file of lines should get a line now about what is going on. The caller writes it. */
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

/** Returns a line such as '  still reading images, for 9.0 s'. */
export const stillLine = (what: string, seconds: number): string => `  still ${what}, for ${duration(seconds)}`;
