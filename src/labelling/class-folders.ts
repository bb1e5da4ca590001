// Where each image goes when images are sorted into a folder for each class.
import { extname, posix } from 'node:path';
import { idOf, type Labelled } from './labelled.js';

/** Most systems take names of 255 bytes, of which a character of UTF-8 may take four. */
const MOST_CHARACTERS = 60;

/**
 * The path of each image within the folder, 'cat/photo.jpg': under the label that the data has of it, else the model's class. Images of one
 * name in one class, also but for capitals, are numbered: 'cat/photo (2).jpg'.
 * @param end what all names end with ('.png'); undefined: as they do
 */
export function classFolders(labelled: Labelled, end: string | undefined): string[] {
  const { count, classNames, classes, known, ids } = labelled;
  const folders = new Map<string, string>();
  const taken = new Map<string, number>();
  const digits = String(count - 1).length;
  return Array.from({ length: count }, (_, image) => {
    const name = known(image) ?? classNames[classes[image]!]!;
    let folder = folders.get(name);
    if (folder === undefined) {
      folder = unused('', safeName(name), '', taken);
      folders.set(name, folder);
    }
    const file = ids ? posix.basename(idOf(labelled, image)) : String(image).padStart(digits, '0');
    const own = ids ? extname(file) : '';
    return unused(`${folder}/`, safeName(file.slice(0, file.length - own.length)), end ?? own, taken);
  });
}

/** @param taken of each path that is in use, the number to try next: thousands of images may have one name */
function unused(before: string, name: string, end: string, taken: Map<string, number>): string {
  const keyOf = (path: string): string => path.normalize('NFC').toLowerCase();
  const plain = `${before}${name}${end}`;
  let path = plain;
  let other = taken.get(keyOf(plain)) ?? 1;
  for (; taken.has(keyOf(path)); other++) path = `${before}${name} (${other})${end}`;
  taken.set(keyOf(path), 2);
  if (path !== plain) taken.set(keyOf(plain), other);
  return path;
}

/** A name for one file or folder, which leads nowhere else and is not hidden. */
export function safeName(name: string): string {
  const plain = name.replace(/[/\\:*?"<>|\p{C}\p{Zl}\p{Zp}]/gu, '_').replace(/^[.\s]+|[.\s]+$/g, '_');
  return Array.from(plain).slice(0, MOST_CHARACTERS).join('') || '_';
}
