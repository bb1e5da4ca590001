// Owns a process that does as it is asked: started, asked one thing at a time with a deadline, and ended.
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { built } from '../../src/built.js';
import { PseudolabelError } from '../../src/errors.js';
import type { Failure } from './messages.js';

/** Starting takes seconds, and so does labelling 60,000 images by one slow core. */
const ANSWER_DEADLINE_MS = 600_000;

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(error: unknown): void;
}

export class Program<Question extends object, Answer extends { readonly kind: string } | Failure> {
  private readonly child: ChildProcess;
  private waiting: Waiting<Answer> | undefined;
  private end: PseudolabelError | undefined;

  /**
   * @param entry below dist/
   * @param name for errors: '2 workers'
   * @param threads inside each operation of TensorFlow
   * @param signal ends the process
   * @param args of its command line
   */
  constructor(
    entry: string,
    private readonly name: string,
    threads: number,
    signal: AbortSignal,
    args: readonly string[] = [],
  ) {
    const env = { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads) };
    this.child = fork(fileURLToPath(built(entry)), args, { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    this.child.on('message', (answer) => this.waiting?.resolve(answer as Answer));
    // An interruption from the keyboard reaches the process too, and maybe first.
    this.child.on('exit', () => this.ended(signal.aborted ? interrupted() : this.lost()));
    this.child.on('error', (cause) => this.ended(this.lost(cause)));
    const stop = () => this.stop(interrupted());
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  }

  /** Ends the process: it has nothing to save. */
  close(): void {
    this.child.kill('SIGKILL');
  }

  /** Throws the process's own error, E_WORKER_LOST, E_TIMEOUT or E_INTERRUPTED. */
  async ask<K extends Answer['kind']>(kind: K, question: Question): Promise<Extract<Answer, { kind: K }>> {
    const deadline = setTimeout(() => this.stop(this.late()), ANSWER_DEADLINE_MS);
    const answer = await new Promise<Answer>((resolve, reject) => {
      this.waiting = { resolve, reject };
      if (this.end) reject(this.end);
      else this.child.send(question);
    }).finally(() => {
      clearTimeout(deadline);
      this.waiting = undefined;
    });
    if (answer.kind === 'failed') throw failed(answer as Failure);
    if (answer.kind !== kind) throw new Error(`${this.name} answered '${answer.kind}' where '${kind}' was asked for`);
    return answer as Extract<Answer, { kind: K }>;
  }

  private stop(reason: PseudolabelError): void {
    this.ended(reason);
    this.close();
  }

  private ended(reason: PseudolabelError): void {
    this.end ??= reason;
    this.waiting?.reject(this.end);
  }

  private lost(cause?: unknown): PseudolabelError {
    const fix = 'look for a lack of memory (dmesg): measure fewer --workers or --nodes at once, or a smaller --hidden';
    return new PseudolabelError('E_WORKER_LOST', `the process of ${this.name} ended`, fix, { cause });
  }

  private late(): PseudolabelError {
    const message = `${this.name} gave no answer in ${ANSWER_DEADLINE_MS / 1000} s`;
    return new PseudolabelError('E_TIMEOUT', message, 'the machine may be overloaded: try again with fewer --steps');
  }
}

/** Has a process answer each question, one at a time, until the other end is gone. */
export function answering<Question, Answer>(answer: (question: Question) => Promise<Answer>): void {
  process.on('message', (question: Question) => {
    void answer(question)
      .catch(failureOf)
      .then((answer) => process.send!(answer));
  });
  process.on('disconnect', () => process.exit());
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
