// Chooses the path of each image when images are sorted into one folder per class.
import { extname, posix } from 'node:path';
import { idOf, type Labelled } from './labelled.js';

/** The most characters of a name. Most systems take names of 255 bytes, and a character of UTF-8 may take four. */
const MOST_CHARACTERS = 60;

/**
 * Returns the path of each image within the folder, such as 'cat/photo.jpg': below the label that the data has for it,
 * or else the model's class. Images of one name in one class are numbered, also if the names differ only in capitals:
 * 'cat/photo (2).jpg'.
 * @param end the extension of all names ('.png'); undefined: names are unchanged
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

/**
 * Returns a path that no other image has.
 * @param taken for each path that is in use, the number to try next, because thousands of images may have one name
 */
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

/** Returns a name for one file or folder, which leads nowhere else and is not hidden. */
export function safeName(name: string): string {
  const plain = name.replace(/[/\\:*?"<>|\p{C}\p{Zl}\p{Zp}]/gu, '_').replace(/^[.\s]+|[.\s]+$/g, '_');
  return Array.from(plain).slice(0, MOST_CHARACTERS).join('') || '_';
}
