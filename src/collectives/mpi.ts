// The collective of the ranks that mpirun started, by Open MPI's own library.
//
// MPI has no common binary interface: handles are numbers in MPICH, and addresses of symbols in Open MPI. Other
// libraries are therefore refused.

import { setImmediate, setTimeout as sleep } from 'node:timers/promises';
import { PseudolabelError } from '../errors.js';
import { FROM_CHECKPOINT } from '../failures.js';
import type { Collective, Piece } from './collective.js';

/** A number, an address or the memory of an array. */
type Pointer = bigint | ArrayBufferView | null;
type Call = (...args: readonly (number | Pointer)[]) => number;

const POINTER = 'void *';
const INT = 'int';

/** The argument types of each function that is called; all return an int. */
const FUNCTIONS = {
  initThread: ['MPI_Init_thread', [POINTER, POINTER, INT, POINTER]],
  commRank: ['MPI_Comm_rank', [POINTER, POINTER]],
  commSize: ['MPI_Comm_size', [POINTER, POINTER]],
  ibcast: ['MPI_Ibcast', [POINTER, INT, POINTER, INT, POINTER, POINTER]],
  isend: ['MPI_Isend', [POINTER, INT, POINTER, INT, INT, POINTER, POINTER]],
  irecv: ['MPI_Irecv', [POINTER, INT, POINTER, INT, INT, POINTER, POINTER]],
  ibarrier: ['MPI_Ibarrier', [POINTER, POINTER]],
  allreduce: ['MPI_Allreduce', [POINTER, POINTER, INT, POINTER, POINTER, POINTER]],
  testall: ['MPI_Testall', [INT, POINTER, POINTER, POINTER]],
  abort: ['MPI_Abort', [POINTER, INT]],
  finalize: ['MPI_Finalize', []],
  version: ['MPI_Get_library_version', [POINTER, POINTER]],
} as const satisfies Record<string, readonly [name: string, types: readonly string[]]>;

const SYMBOLS = {
  world: 'ompi_mpi_comm_world',
  byte: 'ompi_mpi_byte',
  float: 'ompi_mpi_float',
  plus: 'ompi_mpi_op_sum',
} as const;

type Library = { readonly [F in keyof typeof FUNCTIONS]: Call } & {
  readonly [S in keyof typeof SYMBOLS]: bigint;
};

/**
 * The library's file name with its number, which is the same since Open MPI 3, and without it, for the linker to find.
 */
const NAMES = process.platform === 'darwin' ? ['libmpi.40.dylib', 'libmpi.dylib'] : ['libmpi.so.40', 'libmpi.so'];

const MOST_VERSION_BYTES = 256;

/** Loads the library. Throws E_MPI. */
export async function loadLibrary(names: readonly string[] = NAMES): Promise<Library> {
  const koffi = await import('koffi').catch((cause: unknown) => {
    const fix = 'install it with npm install koffi (it is an optional dependency, which may have been left out)';
    throw new PseudolabelError('E_MPI', 'the npm package koffi, by which MPI is called, is not there', fix, { cause });
  });
  // Open MPI's plug-ins look for its symbols in the whole process.
  const failures: string[] = [];
  for (const name of names) {
    let handle: ReturnType<typeof koffi.load>;
    try {
      handle = koffi.load(name, { global: true });
    } catch (error) {
      failures.push(`${name}: ${error instanceof Error ? error.message : error}`);
      continue;
    }
    return bound(handle, name);
  }
  const fix =
    "install Open MPI (Debian: openmpi-bin and libopenmpi3), or load its module on a cluster, so that the system's linker finds it";
  throw new PseudolabelError('E_MPI', `Open MPI does not load: ${failures.join('; ')}`, fix);
}

/** Returns the library's name and version, such as 'Open MPI v4.1.4'. */
export function versionOf(library: Library): string {
  const [text, length] = [Buffer.alloc(MOST_VERSION_BYTES), new Int32Array(1)];
  library.version(text, length);
  return text.toString('latin1', 0, length[0]).split(/[,\n\0]/, 1)[0]!;
}

interface Handle {
  func(name: string, result: string, types: string[]): Call;
  symbol(name: string): bigint;
}

function bound(handle: Handle, name: string): Library {
  try {
    const functions = Object.entries(FUNCTIONS).map(([key, [symbol, types]]) => [
      key,
      handle.func(symbol, INT, [...types]),
    ]);
    const symbols = Object.entries(SYMBOLS).map(([key, symbol]) => [key, handle.symbol(symbol)]);
    return Object.fromEntries([...symbols, ...functions]) as Library;
  } catch (cause) {
    const fix = 'use Open MPI, both its mpirun and its library; with MPICH or Intel MPI this program cannot talk';
    throw new PseudolabelError('E_MPI', `${name} is not the library of Open MPI`, fix, { cause });
  }
}

/** MPI_THREAD_FUNNELED: only this thread calls it. */
const FUNNELED = 1;
/** MPI_IN_PLACE, as Open MPI's mpi.h defines it. */
const IN_PLACE = 1n;
const TAG = 1;

/**
 * First a wait polls without a pause for BUSY_MS, then at each turn of the event loop up to EAGER_MS. A longer wait
 * means that the run itself pauses.
 */
const BUSY_MS = 1;
const EAGER_MS = 20;
/**
 * After that, each pause is this share of the time waited so far. A long wait then leaves the core to others, and is
 * late by at most this share.
 */
const PAUSE = 0.01;
const SHORTEST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 100;
/** How long a rank is waited for when the job is to stop. A rank that does not answer by then is lost. */
const STOP_MS = 60_000;
/**
 * The limit of a wait. It is longer than a task may take (worker/thread-pool.ts). A broadcast has no limit, because
 * rank 0 may have nothing to send for a long time.
 */
const DEADLINE_MS = 600_000;

/**
 * Returns the number of this process among those that mpirun (or srun with PMIx) started, or undefined if neither did.
 */
export function rankOf(env: NodeJS.ProcessEnv): number | undefined {
  const rank = env.OMPI_COMM_WORLD_RANK ?? env.PMIX_RANK;
  return rank === undefined ? undefined : Number(rank);
}

/**
 * Opens the collective of this job. signal: aborts when the job is to stop.
 * Throws E_USAGE if no mpirun started this process, and E_MPI if Open MPI or koffi is missing.
 */
export async function openMpi(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<Collective> {
  if (rankOf(env) === undefined) {
    const fix = 'start it by mpirun: mpirun -np 2 npx pseudolabel train --collective mpi ...';
    throw new PseudolabelError('E_USAGE', '--collective mpi without mpirun', fix);
  }
  const library = await loadLibrary();
  // If ranks share cores, a rank that waits then gives up its core. MPI_Init reads this variable.
  env.OMPI_MCA_mpi_yield_when_idle ??= '1';
  library.initThread(null, null, FUNNELED, new Int32Array(1));
  return new Mpi(library, signal);
}

const pauseAfter = (waited: number): number => Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, PAUSE * waited));

/** Starts operations that do not block, and polls in done() for their end. */
class Mpi implements Collective {
  readonly rank: number;
  readonly size: number;
  private requests = new BigUint64Array(64);
  /** The memory of operations in progress. It is held here so that it is not garbage-collected. */
  private readonly held: ArrayBufferView[] = [];
  private readonly isDone = new Int32Array(1);
  private failure: PseudolabelError | undefined;

  constructor(
    private readonly library: Library,
    private readonly signal: AbortSignal,
  ) {
    const { world } = library;
    const number = new Int32Array(1);
    library.commRank(world, number);
    this.rank = number[0]!;
    library.commSize(world, number);
    this.size = number[0]!;
    process.once('exit', this.abort);
  }

  async broadcast(bytes: Uint8Array): Promise<void> {
    const { byte, world } = this.library;
    this.begin(bytes, (request) => this.library.ibcast(bytes, bytes.length, byte, 0, world, request));
    await this.done(Number.POSITIVE_INFINITY);
  }

  async exchange(sends: Iterable<Piece>, receives: readonly Piece[]): Promise<void> {
    const { byte, world } = this.library;
    for (const { rank, bytes } of receives) {
      this.begin(bytes, (request) => this.library.irecv(bytes, bytes.length, byte, rank, TAG, world, request));
    }
    for (const { rank, bytes } of sends) {
      this.begin(bytes, (request) => this.library.isend(bytes, bytes.length, byte, rank, TAG, world, request));
    }
    await this.done(DEADLINE_MS);
  }

  /**
   * Waits for all ranks, and then blocks for a few ms, because Open MPI's non-blocking sum of a long vector takes
   * several times as long.
   */
  async sum(values: Float32Array): Promise<void> {
    const { float, plus, world } = this.library;
    this.begin(values, (request) => this.library.ibarrier(world, request));
    await this.done(DEADLINE_MS);
    this.library.allreduce(IN_PLACE, values, values.length, float, plus, world);
  }

  close(): void {
    if (this.failure) return;
    process.off('exit', this.abort);
    this.library.finalize();
  }

  /** Ends the whole job if this process ends early, because the others would wait for it. */
  private readonly abort = (code: number): void => {
    this.library.abort(this.library.world, code || 1);
  };

  private begin(memory: ArrayBufferView, start: (request: BigUint64Array) => unknown): void {
    if (this.failure) throw this.failure;
    const open = this.held.push(memory);
    if (open > this.requests.length) {
      const more = new BigUint64Array(2 * this.requests.length);
      more.set(this.requests);
      this.requests = more;
    }
    start(this.requests.subarray(open - 1, open));
  }

  private async done(deadline: number): Promise<void> {
    const began = performance.now();
    let stopped: number | undefined;
    while (!this.areDone()) {
      const now = performance.now();
      const waited = now - began;
      if (this.signal.aborted) stopped ??= now;
      if (waited > deadline || (stopped !== undefined && now - stopped > STOP_MS)) throw this.late(waited);
      if (waited > EAGER_MS) await sleep(pauseAfter(waited));
      else if (waited > BUSY_MS) await setImmediate();
    }
    this.held.length = 0;
  }

  private areDone(): boolean {
    this.library.testall(this.held.length, this.requests, this.isDone, null);
    return this.isDone[0] === 1;
  }

  private late(waited: number): PseudolabelError {
    const message = `rank ${this.rank} waited for the others for ${Math.round(waited / 1000)} s`;
    this.failure = new PseudolabelError('E_TIMEOUT', message, FROM_CHECKPOINT);
    return this.failure;
  }
}
