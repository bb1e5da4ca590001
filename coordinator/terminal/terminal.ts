// The two streams of the process: results go to stdout, everything else to stderr, where one line may be redrawn.
// Nothing else writes to them. Text may come from anywhere, so it is shown without control characters; colours are
// marks that only this process can make.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { PseudolabelError } from '../../src/errors.js';
import { writeAtomically } from '../../src/files/write.js';
import { visible, visibleJson } from '../../src/format.js';
import { stillLine, Waiting } from './waiting.js';

/** What is used of process.stdout and process.stderr. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Where a command's result goes besides the screen: a file, or '-' for stdout. */
export type JsonTarget = string | undefined;

const DEFAULT_COLUMNS = 80;

/** For processes without a terminal of their own. */
export function printLine(output: Output, line: string): void {
  output.write(`${rendered(line, false)}\n`);
}

export class Terminal {
  /** Whether a line can be redrawn. */
  readonly isLive: boolean;
  readonly colours: Colours;
  /** Where notes and errors go instead of stderr. */
  log: Logger | undefined;
  /** Only errors are printed: of several processes that do one work, one speaks. */
  isQuiet = false;
  private drawn = 0;
  private readonly waiting = new Waiting({
    form: () => (this.log ? 'json' : this.isLive ? 'live' : 'lines'),
    say: (what, seconds) => this.still(what, seconds),
  });

  constructor(
    private readonly stdout: Output,
    private readonly stderr: Output,
    private readonly env: NodeJS.ProcessEnv,
  ) {
    this.isLive = stderr.isTTY === true && env.TERM !== 'dumb';
    this.colours = this.coloursOf(stderr);
  }

  /** Prints a line of what is going on. */
  note(line: string): void {
    if (!this.isQuiet) this.write(line);
  }

  /** Says how a wait stands, which is said again and again: where a line can be redrawn in its place, in a file of lines ever less often. */
  waits(line: string): void {
    if (this.isQuiet) return;
    if (this.isLive && !this.log) this.draw(line);
    else if (this.waiting.isDue()) this.write(line);
    else this.spoke(); // how it stands is known
  }

  /** What is going on from now: it is said again where nothing else is for a while. undefined: nothing that anybody waits for. */
  doing(what: string | undefined): void {
    this.waiting.begins(what);
  }

  /** Something was said that did not go through here, to the log say. */
  spoke(): void {
    this.waiting.spoke();
  }

  /** How long a drawn line can be. */
  get width(): number {
    return (this.stderr.columns || DEFAULT_COLUMNS) - 1;
  }

  /** Draws over the line that was drawn last. Only where isLive. */
  draw(line: string): void {
    this.spoke();
    const text = rendered(line, false).slice(0, this.width);
    this.stderr.write(`\r${text.padEnd(this.drawn)}`);
    this.drawn = text.length;
  }

  /** Makes the drawn line empty again. Without an escape sequence, since some terminals want none. */
  erase(): void {
    if (this.drawn > 0) this.stderr.write(`\r${' '.repeat(this.drawn)}\r`);
    this.drawn = 0;
  }

  /** Prints a command's result, and writes it as JSON where asked. With '-' only the JSON goes to stdout. */
  async deliver(lines: (colours: Colours) => readonly string[], value: unknown, json: JsonTarget): Promise<void> {
    this.doing(undefined);
    this.erase();
    const output = json === '-' ? this.stderr : this.stdout;
    output.write(
      lines(this.coloursOf(output))
        .map((line) => `${rendered(line, true)}\n`)
        .join(''),
    );
    if (json === undefined) return;
    const text = `${JSON.stringify(value, null, 2)}\n`;
    if (json === '-') this.stdout.write(visibleJson(text));
    else await writeAtomically(json, text);
  }

  /** Prints an error: its code, and what to do about it. A stack only for those who debug. */
  explain(error: unknown): void {
    this.doing(undefined);
    if (this.log) {
      logError(this.log, error);
      return;
    }
    const { red } = this.colours;
    if (error instanceof PseudolabelError) {
      this.write(`${red(`error ${error.code}:`)} ${error.message}`);
      this.write(`  fix: ${error.fix}`);
    } else {
      this.write(`${red('error:')} ${error instanceof Error ? error.message : String(error)}`);
      this.write('  fix: this should not happen; PSEUDOLABEL_DEBUG=1 shows where it did, which helps in a bug report');
    }
    if (this.env.PSEUDOLABEL_DEBUG && error instanceof Error)
      for (const line of (error.stack ?? '').split('\n')) this.write(line);
  }

  private still(what: string, seconds: number): void {
    if (this.isQuiet) return;
    if (this.log) this.log.info({ event: 'waiting', for: what, seconds: Math.round(seconds) }, `still ${what}`);
    else if (this.isLive) this.draw(stillLine(what, seconds));
    else this.write(stillLine(what, seconds));
  }

  private write(line: string): void {
    this.spoke();
    if (this.log) {
      this.log.info(rendered(line, false).trim());
      return;
    }
    this.erase();
    this.stderr.write(`${rendered(line, true)}\n`);
  }

  private coloursOf(output: Output): Colours {
    const { NO_COLOR, TERM } = this.env;
    return output.isTTY === true && !NO_COLOR && TERM !== 'dumb' ? COLOURS : PLAIN;
  }
}

function logError(log: Pick<Logger, 'error'>, error: unknown): void {
  if (error instanceof PseudolabelError) log.error({ code: error.code, fix: error.fix }, error.message);
  else log.error({ stack: error instanceof Error ? error.stack : undefined }, String(error));
}

/** How each is switched on and off (ECMA-48, "select graphic rendition"). */
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

type Paint = (text: string) => string;
export type Colours = Readonly<Record<keyof typeof CODES, Paint>>;

const ESCAPE = '\u001b';
/** Of this process. What comes from elsewhere would have to guess it. */
const SECRET = randomBytes(16).toString('hex');
const MARK = new RegExp(`${ESCAPE}${SECRET}(\\d+);`);

export const COLOURS = Object.fromEntries(
  Object.entries(CODES).map(([name, [on, off]]) => [name, (text: string) => mark(on) + text + mark(off)]),
) as Colours;

export const PLAIN = Object.fromEntries(Object.keys(CODES).map((name) => [name, (text: string) => text])) as Colours;

/** The line for a terminal: our marks become escape sequences, or nothing; other control characters are shown. */
function rendered(line: string, isColoured: boolean): string {
  return line
    .split(MARK)
    .map((part, i) => (i % 2 === 0 ? visible(part) : isColoured ? `${ESCAPE}[${part}m` : ''))
    .join('');
}

function mark(code: number): string {
  return `${ESCAPE}${SECRET}${code};`;
}
