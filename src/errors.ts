// The errors that a user can meet: each has a stable code, says what went wrong and what to do, and sets the exit code
// of the process.

/**
 * The error codes. `exit` is the exit code of the command that meets one: 2 = wrong usage or input, 1 = failed, 130 =
 * interrupted.
 */
export const ERROR_CODES = {
  E_DATA_MISSING: { exit: 2, means: 'a data file is not there or cannot be read' },
  E_DATA_MAGIC: {
    exit: 2,
    means: 'a data file is not of its format, or its values are not of a type that is read',
  },
  E_DATA_TRUNCATED: { exit: 2, means: 'a data file ends before the values its header declares' },
  E_DATA_TRAILING: { exit: 2, means: 'a data file goes on after the values its header declares' },
  E_DATA_COUNT: { exit: 2, means: 'a set has not as many labels as images' },
  E_DATA_EMPTY: { exit: 2, means: 'a data file declares no values' },
  E_DATA_CHECKSUM: { exit: 2, means: 'a data file is damaged: its bytes do not match its checksum' },
  E_DATA_CLASSES: {
    exit: 2,
    means: 'labels do not make classes that can be trained and tested',
  },
  E_DATA_LABELS: { exit: 2, means: 'a file of labels cannot be read, or does not fit the images' },
  E_DATA_AMBIGUOUS: { exit: 2, means: 'a folder has files of several data sets' },
  E_DATA_FORMAT: { exit: 2, means: 'a path is none of the data that can be read' },
  E_DATA_IMAGE: { exit: 2, means: 'a picture cannot be decoded' },
  E_DATA_SHAPE: { exit: 2, means: 'a data file has dimensions that do not fit its use' },
  E_DATA_VALUES: { exit: 2, means: 'the values of an array cannot be pixels or labels' },
  E_SPLIT_TOO_FEW: { exit: 2, means: 'the training set is too small for the labelled and validation images asked for' },
  E_CONFIG: { exit: 2, means: 'the config is not valid' },
  E_USAGE: { exit: 2, means: 'the command line is not valid' },
  E_CHECKPOINT_MISSING: { exit: 2, means: 'there is no checkpoint to resume from' },
  E_CHECKPOINT_DAMAGED: { exit: 2, means: 'a checkpoint cannot be read back' },
  E_CHECKPOINT_MISMATCH: { exit: 2, means: 'a checkpoint belongs to another run or another data set' },
  E_NOT_FINITE: { exit: 1, means: 'the loss or the parameters became infinite or not a number' },
  E_INTERRUPTED: { exit: 130, means: 'the user stopped the run' },
  E_WORKER_LOST: { exit: 1, means: 'workers were lost and could not be replaced' },
  E_TIMEOUT: { exit: 1, means: 'a wait reached its deadline' },
  E_MEMORY: { exit: 1, means: 'there is not enough memory' },
  E_CLOSED: { exit: 1, means: 'a connection was closed' },
  E_CONNECTION_LOST: { exit: 1, means: 'a connection to another machine broke, or nothing came over it for too long' },
  E_UNREACHABLE: { exit: 1, means: 'another machine cannot be reached' },
  E_BUSY: { exit: 1, means: 'a coordinator has as many connections as it takes' },
  E_PROTOCOL: { exit: 1, means: 'the other side of a connection sent what it should not' },
  E_TOO_LARGE: { exit: 1, means: 'a message is longer than its kind may be' },
  E_VERSION: { exit: 2, means: 'two machines speak different versions of the protocol' },
  E_TOKEN: { exit: 2, means: 'another machine did not prove that it knows the token' },
  E_FINGERPRINT: { exit: 2, means: 'the certificate of another machine is not the expected one' },
  E_SECRET_FILE: { exit: 2, means: 'a file with a token or a key is missing, damaged, or not secret' },
  E_INSECURE: { exit: 2, means: 'a connection beyond this machine would not be encrypted' },
  E_LISTEN: { exit: 2, means: 'an address cannot be listened on' },
  E_MODEL: { exit: 2, means: 'a model cannot be used' },
  E_REPORT: { exit: 2, means: 'a run directory cannot be reported: it is none, or its files are damaged' },
  E_NATIVE: {
    exit: 1,
    means: 'a native library, of TensorFlow or sharp, is missing, does not work, or was loaded too early',
  },
  E_MPI: { exit: 1, means: 'Open MPI is missing or does not work' },
  E_NODES: { exit: 1, means: 'there were not enough nodes in time' },
  E_NUMERICS: { exit: 2, means: 'a machine computes other bits than the coordinator, or than where a run began' },
  E_DRIFT: { exit: 1, means: 'the parameters of two nodes differ where they should be the same' },
  E_LOCKED: { exit: 1, means: 'another process works in the same folder' },
  E_OUTPUT: { exit: 1, means: 'a result cannot be written' },
} as const;

/** The code of an error. It stays the same in later versions (docs/errors.md). */
export type ErrorCode = keyof typeof ERROR_CODES;

/**
 * The error that everything here throws: a code that programs can rely on, a message that names the cause, and what to
 * do.
 */
export class PseudolabelError extends Error {
  override readonly name = 'PseudolabelError';
  readonly code: ErrorCode;
  /** What the user can do about it, as a sentence. */
  readonly fix: string;

  /**
   * Makes an error.
   * @param message what went wrong, naming the thing: 'data/train-labels-idx1-ubyte has 5 labels for 6 images'
   * @param options.cause the error that led to this one; it is then at `error.cause.cause`
   */
  constructor(code: ErrorCode, message: string, fix: string, options: { cause?: unknown } = {}) {
    // A structured clone (worker threads, piscina) keeps only the message, stack and cause of an Error, so that the
    // cause carries the rest.
    super(message, { cause: { code, fix, ...options } });
    this.code = code;
    this.fix = fix;
  }

  /** Restores the class, code and fix of an error that came from another thread. Returns anything else unchanged. */
  static revive(error: unknown): unknown {
    if (error instanceof PseudolabelError || !(error instanceof Error) || !isCarried(error.cause)) return error;
    const { code, fix, ...options } = error.cause;
    const revived = new PseudolabelError(code, error.message, fix, options);
    if (error.stack !== undefined) revived.stack = error.stack;
    return revived;
  }
}

type Carried = { code: ErrorCode; fix: string; cause?: unknown };

function isCarried(cause: unknown): cause is Carried {
  if (typeof cause !== 'object' || cause === null || !('code' in cause) || !('fix' in cause)) return false;
  return typeof cause.code === 'string' && Object.hasOwn(ERROR_CODES, cause.code) && typeof cause.fix === 'string';
}

/** Returns the exit code of a process that ends with `error`: 1 for an error that has no code of ours. */
export function exitCodeOf(error: unknown): number {
  return error instanceof PseudolabelError ? ERROR_CODES[error.code].exit : 1;
}
