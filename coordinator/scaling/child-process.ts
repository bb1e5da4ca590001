// Runs a child process that answers requests. It is asked one thing at a time, with a deadline.
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { PseudolabelError } from '../../src/errors.js';
import { built } from '../../src/files/read.js';
import { printLine } from '../terminal/terminal.js';
import type { Failure } from './messages.js';

/** Starting takes seconds, and labelling 60,000 images on one slow core takes longer. */
const ANSWER_DEADLINE_MS = 600_000;
/** Milliseconds that the process has to end by itself before it is killed. */
const CLOSING_MS = 5_000;

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export interface CommandLine {
  readonly program: string;
  readonly args: readonly string[];
  /** Variables that are added to the environment of this process. */
  readonly env?: NodeJS.ProcessEnv;
}

/** Returns the command line of entry.ts. */
export const entryCommand = (...args: readonly string[]): CommandLine => ({
  program: process.execPath,
  args: [...process.execArgv, fileURLToPath(built('coordinator/scaling/entry.js')), ...args],
});

/**
 * A child process. Requests are lines of JSON on its standard input, which mpirun passes on. Answers come on its
 * standard output.
 */
export class ChildProcess<Question extends object, Answer extends { readonly kind: string } | Failure> {
  private readonly child: ChildProcessByStdio<Writable, Readable, null>;
  private readonly gone: Promise<void>;
  private waiting: Waiting<Answer> | undefined;
  private end: PseudolabelError | undefined;

  /**
   * @param name for errors, such as '2 workers'
   * @param threads inside each operation of TensorFlow
   * @param signal ends the process
   */
  constructor(
    { program, args, env }: CommandLine,
    private readonly name: string,
    threads: number,
    signal: AbortSignal,
  ) {
    this.child = spawn(program, args, {
      env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads), ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
      // The child has a group of its own. So signals of the terminal only go to this process, which passes on what it
      // wants.
      detached: process.platform !== 'win32',
    });
    createInterface({ input: this.child.stdout }).on('line', (line) => this.says(line));
    // Writing fails if the child has ended. The exit event says so.
    this.child.stdin.on('error', () => undefined);
    this.gone = new Promise((gone) => {
      this.child.on('exit', (code, by) => gone(this.ended(signal.aborted ? interrupted() : this.lost(by ?? code))));
      this.child.on('error', (cause) => gone(this.ended(this.lost('before it began', cause))));
    });
    const stop = () => this.stop(interrupted());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  /** Ends the process, which may have to end others first. Resolves when it is gone. */
  async close(): Promise<void> {
    this.child.stdin.end();
    const late = setTimeout(() => this.child.kill('SIGKILL'), CLOSING_MS);
    await this.gone;
    clearTimeout(late);
  }

  /** Asks for an answer. Throws the process's own error, E_WORKER_LOST, E_TIMEOUT or E_INTERRUPTED. */
  async ask<K extends Answer['kind']>(kind: K, question: Question): Promise<Extract<Answer, { kind: K }>> {
    const deadline = setTimeout(() => this.stop(this.late()), ANSWER_DEADLINE_MS);
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.end) reject(this.end);
      else this.child.stdin.write(`${JSON.stringify(question)}\n`);
    }).finally(() => {
      clearTimeout(deadline);
      this.waiting = undefined;
    });
    if (answer.kind === 'failed') throw failed(answer as Failure);
    if (answer.kind !== kind) throw new Error(`${this.name} answered '${answer.kind}' where '${kind}' was asked for`);
    return answer as Extract<Answer, { kind: K }>;
  }

  /** Prints lines that are not answers. They come from libraries. */
  private says(line: string): void {
    if (line.startsWith('{')) this.waiting?.resolve(JSON.parse(line) as Answer);
    else printLine(process.stderr, line);
  }

  private stop(reason: PseudolabelError): void {
    this.ended(reason);
    void this.close();
  }

  private ended(reason: PseudolabelError): void {
    this.end ??= reason;
    this.waiting?.reject(this.end);
  }

  /** Makes the error for a process that has ended. by: a signal, or an exit code. */
  private lost(by: string | number | null, cause?: unknown): PseudolabelError {
    const fix =
      'look for a lack of memory (dmesg): measure fewer --workers, --nodes or --ranks at once, or a smaller --hidden';
    return new PseudolabelError(
      'E_WORKER_LOST',
      `the process of ${this.name} ended (${typeof by === 'number' ? `exit code ${by}` : by})`,
      fix,
      { cause },
    );
  }

  private late(): PseudolabelError {
    const message = `${this.name} gave no answer in ${ANSWER_DEADLINE_MS / 1000} s`;
    return new PseudolabelError('E_TIMEOUT', message, 'the machine may be overloaded: try again with fewer --steps');
  }
}

/**
 * Answers requests, one at a time, until the other process is gone.
 * @param closed ends the process when no request is open
 */
export function answering<Question, Answer>(
  answer: (question: Question) => Promise<Answer>,
  closed: () => void = () => process.exit(),
): void {
  let open = 0;
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    open++;
    void answer(JSON.parse(line) as Question)
      .catch(failureOf)
      .then((answer) => {
        open--;
        process.stdout.write(`${JSON.stringify(answer)}\n`);
      });
  });
  lines.on('close', () => (open > 0 ? process.exit(1) : closed()));
}

function failureOf(error: unknown): Failure {
  const { code, message, fix } =
    error instanceof PseudolabelError ? error : { code: undefined, message: String(error), fix: '' };
  return { kind: 'failed', code, message, fix };
}

function failed({ code, message, fix }: Failure): Error {
  return code === undefined ? new Error(message) : new PseudolabelError(code, message, fix);
}

const interrupted = (): PseudolabelError => new PseudolabelError('E_INTERRUPTED', 'stopped', 'run it again');
