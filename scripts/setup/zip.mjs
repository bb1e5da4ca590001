// Reads zip archives (a Python wheel is one) with Node's own zlib, so that set-up needs no unzip program. Entries are
// streamed: the largest is bigger than what a Buffer should hold. No zip64, no encryption. Layout: APPNOTE.TXT 4.3.

import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_LENGTH = 22;
const LONGEST_COMMENT = 0xffff;
const STORED = 0;
const DEFLATED = 8;
const CHUNK = 1 << 20; // bytes

/** @typedef {{ name: string, method: number, crc: number, packed: number, size: number, offset: number }} Entry */
/** @typedef {import('node:fs/promises').FileHandle} FileHandle */

/**
 * Extracts the entries that `destinationOf` gives a path for.
 * @param {string} archive
 * @param {(name: string) => string | undefined} destinationOf
 * @throws {Error} if the archive is damaged or of an unsupported kind
 */
export async function extractZip(archive, destinationOf) {
  const file = await open(archive);
  try {
    for (const entry of await readDirectory(file)) {
      const destination = entry.name.endsWith('/') ? undefined : destinationOf(entry.name);
      if (destination === undefined) continue;
      await mkdir(dirname(destination), { recursive: true });
      await extract(archive, file, entry, destination);
    }
  } finally {
    await file.close();
  }
}

/** @param {FileHandle} file @param {number} position @param {number} length */
async function readBytes(file, position, length) {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position);
  if (bytesRead < length) throw new Error('damaged zip: it ends too early');
  return buffer;
}

/** Finds the end record, which sits before a comment of unknown length, and reads the list of entries it points to.
 *  @param {FileHandle} file @returns {Promise<Entry[]>} */
async function readDirectory(file) {
  const { size } = await file.stat();
  const tailLength = Math.min(size, END_LENGTH + LONGEST_COMMENT);
  const tail = await readBytes(file, size - tailLength, tailLength);
  let end = tailLength - END_LENGTH;
  while (end >= 0 && tail.readUInt32LE(end) !== END_SIGNATURE) end -= 1;
  if (end < 0) throw new Error('not a zip archive, or one that is cut short');
  const count = tail.readUInt16LE(end + 10);
  const length = tail.readUInt32LE(end + 12);
  const offset = tail.readUInt32LE(end + 16);
  if (count === 0xffff || offset === 0xffffffff) throw new Error('zip64 archives are not supported');
  return parseEntries(await readBytes(file, offset, length), count);
}

/** @param {Buffer} directory @param {number} count @returns {Entry[]} */
function parseEntries(directory, count) {
  const entries = [];
  for (let at = 0; entries.length < count; ) {
    if (at + 46 > directory.length || directory.readUInt32LE(at) !== ENTRY_SIGNATURE) {
      throw new Error('damaged zip: its list of entries cannot be read');
    }
    const nameEnd = at + 46 + directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, nameEnd);
    // A destination derived from such a name could lie outside the folder meant for it.
    if (/^[/\\]|^[a-z]:|(^|[/\\])\.\.([/\\]|$)/i.test(name)) throw new Error(`unsafe name in zip: ${name}`);
    if (directory.readUInt16LE(at + 8) & 1) throw new Error(`encrypted entry in zip: ${name}`);
    entries.push({
      name,
      method: directory.readUInt16LE(at + 10),
      crc: directory.readUInt32LE(at + 16),
      packed: directory.readUInt32LE(at + 20),
      size: directory.readUInt32LE(at + 24),
      offset: directory.readUInt32LE(at + 42),
    });
    at = nameEnd + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  return entries;
}

/** @param {string} archive @param {FileHandle} file @param {Entry} entry @param {string} destination */
async function extract(archive, file, entry, destination) {
  const header = await readBytes(file, entry.offset, 30);
  if (header.readUInt32LE(0) !== LOCAL_SIGNATURE)
    throw new Error(`damaged zip: ${entry.name} is not where it should be`);
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new Error(`${entry.name}: unsupported compression (method ${entry.method})`);
  }
  if (entry.packed === 0) return writeFile(destination, '');
  // The local header repeats the name and has an extra field of its own length.
  const start = entry.offset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  const packed = createReadStream(archive, { start, end: start + entry.packed - 1, highWaterMark: CHUNK });
  const check = (/** @type {AsyncIterable<Buffer>} */ chunks) => checked(chunks, entry);
  const output = createWriteStream(destination, { highWaterMark: CHUNK });
  try {
    if (entry.method === STORED) await pipeline(packed, check, output);
    else await pipeline(packed, zlib.createInflateRaw({ chunkSize: CHUNK }), check, output);
  } catch (error) {
    throw new Error(`damaged zip: ${entry.name}: ${/** @type {Error} */ (error).message}`);
  }
}

/** Passes the bytes on and fails at the end if they are not the ones that were packed.
 *  @param {AsyncIterable<Buffer>} chunks @param {Entry} entry */
async function* checked(chunks, entry) {
  let size = 0;
  let crc = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > entry.size) throw new Error('longer than announced');
    crc = zlib.crc32?.(chunk, crc); // Node 20.15 and later; before, the size is what is checked
    yield chunk;
  }
  if (size !== entry.size) throw new Error('shorter than announced');
  if (crc !== undefined && crc !== entry.crc) throw new Error('its checksum does not match');
}
