// Reads and writes weights in HDF5 files as Keras stores them: arrays of 32-bit floats in nested groups.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Group } from 'h5wasm/node';
import { withTemporaryFolder } from '../files/remove.js';
import { writeIn } from '../files/write.js';

/** An array in a file. */
export interface StoredArray {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** A group with its path, such as 'layers/conv2d/vars', and its arrays. Groups without arrays are included. */
export interface StoredGroup {
  readonly path: string;
  /** The group's attribute `name`, which Keras writes for people. */
  readonly name: string;
  readonly arrays: readonly StoredArray[];
}

const NAME = 'weights.h5';

/** Returns the bytes of a file with these groups. Their arrays are called '0', '1' and so on. */
export function hdf5Of(groups: readonly StoredGroup[]): Promise<Uint8Array> {
  return withTemporaryFolder('weights', async (folder) => {
    const path = join(folder, NAME);
    const file = new (await library()).File(path, 'w');
    try {
      for (const { path: place, name, arrays } of groups) {
        const group = groupAt(file, place);
        group.create_attribute('name', name);
        for (const [i, { shape, values }] of arrays.entries())
          group.create_dataset({ name: String(i), data: values, shape: [...shape], dtype: '<f' });
      }
    } finally {
      file.close();
    }
    return readFile(path);
  });
}

/**
 * Reads the arrays '0', '1' and so on of each group. Throws RangeError if the file is damaged, or if it has arrays of
 * another type than 32-bit floats.
 */
export function hdf5Arrays(bytes: Uint8Array, paths: readonly string[]): Promise<StoredArray[][]> {
  return withTemporaryFolder('weights', async (folder) => {
    const path = join(folder, NAME);
    await writeIn(folder, NAME, bytes);
    const { File, Group, Dataset } = await library();
    try {
      const file = new File(path, 'r');
      try {
        return paths.map((place) => {
          let group: Group = file;
          for (const part of place.split('/')) {
            // The path is followed one part at a time, because it may lead through links to other files.
            const next = group.keys().includes(part) ? group.get(part) : null;
            if (!(next instanceof Group)) return [];
            group = next;
          }
          const names = group.keys();
          return names.map((_, i) => {
            const found = group.get(String(i));
            if (!(found instanceof Dataset) || found.dtype !== '<f')
              throw new RangeError(`its weight ${place}/${i} is not of 32-bit floats`);
            return { shape: found.shape ?? [], values: Float32Array.from(found.value as Float32Array) };
          });
        });
      } finally {
        file.close();
      }
    } catch (cause) {
      if (cause instanceof RangeError) throw cause;
      const [reason] = (cause instanceof Error ? cause.message : String(cause)).split('\n');
      throw new RangeError(`its weights are no HDF5 file that can be read: ${reason}`, { cause });
    }
  });
}

/**
 * Loads the library when it is first needed, since that takes a tenth of a second. Its errors are thrown instead of
 * printed.
 */
async function library() {
  const hdf5 = await import('h5wasm/node');
  const module = await hdf5.ready;
  module.activate_throwing_error_handler();
  return hdf5;
}

function groupAt(file: Group, path: string): Group {
  let group = file;
  for (const part of path.split('/')) {
    const there = group.keys().includes(part) ? (group.get(part) as Group) : undefined;
    group = there ?? group.create_group(part);
  }
  return group;
}
