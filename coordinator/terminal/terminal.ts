// Writes to the two streams of the process: results to stdout, everything else to stderr, where one line may be
// redrawn. No other file writes to them. Text may come from any source, so it is shown without control characters.
// Colours are marks that only this process can make.
import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import { PseudolabelError } from '../../src/errors.js';
import { writeAtomically } from '../../src/files/write.js';
import { visible, visibleJson } from '../../src/format.js';
import { stillLine, Waiting } from './waiting.js';

/** The part of process.stdout and process.stderr that is used. */
export interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Where a command's result is written besides the screen: a file, or '-' for stdout. */
export type JsonTarget = string | undefined;

const DEFAULT_COLUMNS = 80;

/** Prints a line from a process without a terminal of its own. */
export function printLine(output: Output, line: string): void {
  output.write(`${rendered(line, false)}\n`);
}

export class Terminal {
  /** Whether a line can be redrawn. */
  readonly isLive: boolean;
  readonly colours: Colours;
  /** The log that gets notes and errors instead of stderr. */
  log: Logger | undefined;
  /** If true, only errors are printed. Of several processes that do one task, only one prints. */
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

  /** Prints a line about what is going on. */
  note(line: string): void {
    if (!this.isQuiet) this.write(line);
  }

  /**
   * Says how a wait stands. This is called again and again: the line is redrawn on a terminal, and written ever less
   * often to a file of lines.
   */
  waits(line: string): void {
    if (this.isQuiet) return;
    if (this.isLive && !this.log) this.draw(line);
    else if (this.waiting.isDue()) this.write(line);
    else this.spoke(); // The state of the wait is known.
  }

  /**
   * Says what is going on from now. It is said again if nothing else is for a while. undefined: nothing that a user
   * waits for.
   */
  doing(what: string | undefined): void {
    this.waiting.begins(what);
  }

  /** Notes that something was said by other means, for example to the log. */
  spoke(): void {
    this.waiting.spoke();
  }

  /** The most characters of a drawn line. */
  get width(): number {
    return (this.stderr.columns || DEFAULT_COLUMNS) - 1;
  }

  /** Draws over the line that was drawn last. Only works if isLive. */
  draw(line: string): void {
    this.spoke();
    const text = rendered(line, false).slice(0, this.width);
    this.stderr.write(`\r${text.padEnd(this.drawn)}`);
    this.drawn = text.length;
  }

  /** Clears the drawn line. It uses no escape sequence, because some terminals do not want any. */
  erase(): void {
    if (this.drawn > 0) this.stderr.write(`\r${' '.repeat(this.drawn)}\r`);
    this.drawn = 0;
  }

  /** Prints a command's result, and writes it as JSON if asked to. With '-' only the JSON goes to stdout. */
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

  /** Prints an error: its code, and what to do about it. The stack is only printed for debugging. */
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

/** The codes that switch each colour on and off (ECMA-48, "select graphic rendition"). */
const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;

type Paint = (text: string) => string;
export type Colours = Readonly<Record<keyof typeof CODES, Paint>>;

const ESCAPE = '\u001b';
/** A secret of this process, which text from other sources would have to guess. */
const SECRET = randomBytes(16).toString('hex');
const MARK = new RegExp(`${ESCAPE}${SECRET}(\\d+);`);

export const COLOURS = Object.fromEntries(
  Object.entries(CODES).map(([name, [on, off]]) => [name, (text: string) => mark(on) + text + mark(off)]),
) as Colours;

export const PLAIN = Object.fromEntries(Object.keys(CODES).map((name) => [name, (text: string) => text])) as Colours;

/**
 * Renders a line for a terminal. The marks of this process become escape sequences, or nothing. Other control
 * characters are shown.
 */
function rendered(line: string, isColoured: boolean): string {
  return line
    .split(MARK)
    .map((part, i) => (i % 2 === 0 ? visible(part) : isColoured ? `${ESCAPE}[${part}m` : ''))
    .join('');
}

function mark(code: number): string {
  return `${ESCAPE}${SECRET}${code};`;
}
