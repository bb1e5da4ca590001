// Exports models as .keras files, which Keras 3 loads: a zip archive of a topology and of weights in HDF5.
import { buffer } from 'node:stream/consumers';
import { hdf5Of } from '../models/hdf5.js';
import { groupsOf, toKeras3 } from '../models/keras-form.js';
import { nameOf } from '../models/layers/topology.js';
import type { PlainModel } from './plain-model.js';

/** The time of all entries, so that the archive does not depend on when it was written. */
const EPOCH = new Date(Date.UTC(1980, 0, 1));
/** The version of Keras whose form this is. Keras does not check it. */
const KERAS = '3.15.1';

export async function kerasFile({ topology, inputShape, layers }: PlainModel): Promise<Uint8Array> {
  const groups = groupsOf(layers.map(({ layer }) => layer));
  const stored = layers.map(({ layer, weights }, l) => {
    return { path: groups[l]!, name: nameOf(layer), arrays: weights };
  });
  const files: [name: string, content: string | Uint8Array][] = [
    ['metadata.json', JSON.stringify({ keras_version: KERAS, date_saved: '1980-01-01@00:00:00' })],
    ['config.json', JSON.stringify(toKeras3(topology, inputShape))],
    ['model.weights.h5', await hdf5Of(stored)],
  ];
  const { ZipFile } = await import('yazl');
  const zip = new ZipFile();
  // Nothing is compressed, because Keras reads the weights in place.
  for (const [name, content] of files) zip.addBuffer(Buffer.from(content), name, { mtime: EPOCH, compress: false });
  zip.end();
  return buffer(zip.outputStream);
}
