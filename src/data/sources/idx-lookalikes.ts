// Recognises other files that users have under the names of IDX files, and says how to fix that.
import { PseudolabelError } from '../../errors.js';

/** Kinds of files by their first bytes. */
const LOOKALIKES: readonly { readonly start: string; readonly what: string; readonly fix: string }[] = [
  {
    start: '<',
    what: 'a web page',
    fix: 'Fetch the file again: the server sent a page, probably an error, in its place.',
  },
  {
    start: 'version https://git-lfs',
    what: 'a Git LFS pointer',
    fix: 'Fetch the file that it stands for: git lfs pull.',
  },
  { start: 'PK\x03\x04', what: 'a zip archive', fix: 'Unpack it first.' },
  { start: '\x93NUMPY', what: 'a NumPy array', fix: 'Write it as an IDX file.' },
];

/**
 * Makes the error for a file that is no IDX file.
 * @param what the values that are needed
 */
export function notIdx(path: string, start: Buffer, what: string): PseudolabelError {
  const known = LOOKALIKES.find((each) => start.toString('latin1', 0, each.start.length) === each.start);
  const found = start.toString('hex', 0, 4);
  return new PseudolabelError(
    'E_DATA_MAGIC',
    known
      ? `${path} is not an IDX file but ${known.what}`
      : `${path} is not an IDX file of ${what}: it begins with the bytes ${found}, not 000008 and a number of dimensions`,
    known?.fix ?? 'Give an IDX file as those of MNIST, plain or gzipped.',
  );
}
