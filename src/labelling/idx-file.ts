// Writes labels as an IDX file, like those of MNIST.

/**
 * Returns an IDX file of one dimension: magic, number of labels, the labels. They are bytes if bytes can hold them and
 * 255 does not have to mean 'unknown', and 32-bit integers otherwise. Classes whose names are not numbers are written
 * as their indices.
 */
export function labelFile(classes: Uint8Array | Uint16Array, classNames: readonly string[]): Uint8Array[] {
  const numbers = classNames.map(Number);
  const areLabels = classNames.every((name, each) => /^\d{1,9}$/.test(name) && String(numbers[each]) === name);
  const labels = areLabels ? numbers : [...numbers.keys()];
  const isBytes = labels.every((label) => label < 255) || labels.length === 256;
  const header = Buffer.from([0, 0, isBytes ? 0x08 : 0x0c, 1, 0, 0, 0, 0]);
  header.writeUInt32BE(classes.length, 4);
  if (isBytes) return [header, Uint8Array.from(classes, (each) => labels[each]!)];
  const body = Buffer.alloc(4 * classes.length);
  for (const [i, each] of classes.entries()) body.writeInt32BE(labels[each]!, 4 * i);
  return [header, body];
}
