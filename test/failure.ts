// Expects an error of ours that names a file.
import { expect } from 'vitest';
import { PseudolabelError } from '../src/errors.js';

/** Returns the error that the promise is rejected with. It must be a PseudolabelError and name the path. */
export async function failureOf(working: Promise<unknown>, path: string): Promise<PseudolabelError> {
  const error: unknown = await working.then(
    () => expect.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof PseudolabelError)) throw error;
  expect(error.message).toContain(path);
  return error;
}
