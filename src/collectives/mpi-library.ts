// Owns the way into Open MPI's library: which file, which functions, and what is said where it is not there. MPI has no binary interface of
// its own: handles are numbers in MPICH and addresses of these symbols in Open MPI, so other libraries are refused.
import { PseudolabelError } from '../errors.js';

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

export type Library = { readonly [F in keyof typeof FUNCTIONS]: Call } & {
  readonly [S in keyof typeof SYMBOLS]: bigint;
};

/** By its number, which has been the same since Open MPI 3; else whatever the linker finds. */
const NAMES = process.platform === 'darwin' ? ['libmpi.40.dylib', 'libmpi.dylib'] : ['libmpi.so.40', 'libmpi.so'];

const MOST_VERSION_BYTES = 256;

/** Throws E_MPI. */
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

/** The first line of what the library says of itself: 'Open MPI v4.1.4, ...'. */
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
