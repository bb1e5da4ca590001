// Tests the zip reader of set-up, on archives that are written here byte by byte.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32, deflateRawSync } from 'node:zlib';
import { beforeEach, describe, expect, it } from 'vitest';
import { folderOfTest } from '../folders.js';

type ExtractZip = (archive: string, destinationOf: (name: string) => string | undefined) => Promise<void>;
const source = new URL('../../scripts/setup/zip.mjs', import.meta.url).href;
const { extractZip } = (await import(source)) as { extractZip: ExtractZip };

interface Item {
  name: string;
  content: Buffer;
  stored?: boolean;
}

const LOCAL_HEADER = 30;

function zipOf(items: readonly Item[], comment = ''): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, content, stored } of items) {
    const packed = stored ? content : deflateRawSync(content);
    const local = Buffer.alloc(LOCAL_HEADER);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(Buffer.byteLength(name), 26);
    const entry = Buffer.alloc(46);
    entry.writeUInt32LE(0x02014b50, 0);
    entry.writeUInt16LE(stored ? 0 : 8, 10);
    entry.writeUInt32LE(crc32(content), 16);
    entry.writeUInt32LE(packed.length, 20);
    entry.writeUInt32LE(content.length, 24);
    entry.writeUInt16LE(Buffer.byteLength(name), 28);
    entry.writeUInt32LE(offset, 42);
    directory.push(entry, Buffer.from(name));
    parts.push(local, Buffer.from(name), packed);
    offset += LOCAL_HEADER + Buffer.byteLength(name) + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(items.length, 10);
  end.writeUInt32LE(Buffer.concat(directory).length, 12);
  end.writeUInt32LE(offset, 16);
  end.writeUInt16LE(comment.length, 20);
  return Buffer.concat([...parts, ...directory, end, Buffer.from(comment)]);
}

describe('the zip reader', () => {
  let folder: string;
  beforeEach(() => {
    folder = folderOfTest('zip');
  });

  const extractAll = async (archive: Buffer) => {
    writeFileSync(join(folder, 'a.zip'), archive);
    await extractZip(join(folder, 'a.zip'), (name) => join(folder, 'out', name));
  };
  const extracted = (name: string) => readFileSync(join(folder, 'out', name));

  const text = Buffer.from('a line of text\n'.repeat(1000));
  const large = Buffer.from(Uint32Array.from({ length: 800_000 }, (_, i) => Math.imul(i, 2654435761)).buffer);

  it('gives back compressed, stored and empty files as they were, in their folders', async () => {
    const items = [
      { name: 'deep/folder/', content: Buffer.alloc(0), stored: true },
      { name: 'deep/folder/text', content: text },
      { name: 'stored', content: text, stored: true },
      { name: 'empty', content: Buffer.alloc(0), stored: true },
    ];
    await extractAll(zipOf(items, 'a comment'));
    expect(extracted('deep/folder/text').equals(text)).toBe(true);
    expect(extracted('stored').equals(text)).toBe(true);
    expect(extracted('empty')).toHaveLength(0);
  });

  it('streams a file of several chunks', async () => {
    await extractAll(zipOf([{ name: 'large', content: large }]));
    expect(extracted('large').equals(large)).toBe(true);
  });

  it('extracts only what it is asked for', async () => {
    writeFileSync(
      join(folder, 'a.zip'),
      zipOf([
        { name: 'wanted', content: text },
        { name: 'other', content: text },
      ]),
    );
    await extractZip(join(folder, 'a.zip'), (name) => (name === 'wanted' ? join(folder, 'out', name) : undefined));
    expect(extracted('wanted').equals(text)).toBe(true);
    expect(existsSync(join(folder, 'out', 'other'))).toBe(false);
  });

  it('notices a changed byte in a stored file by its checksum', async () => {
    const archive = zipOf([{ name: 'text', content: text, stored: true }]);
    const at = LOCAL_HEADER + 'text'.length + 100;
    archive.writeUInt8(archive.readUInt8(at) ^ 1, at);
    await expect(extractAll(archive)).rejects.toThrow(/damaged zip: text: its checksum/);
  });

  it('notices changed compressed data', async () => {
    const archive = zipOf([{ name: 'large', content: large }]);
    archive.fill(0xff, 1_000_000, 1_000_100);
    await expect(extractAll(archive)).rejects.toThrow(/damaged zip: large/);
  });

  it('refuses an archive that is cut short', async () => {
    const archive = zipOf([{ name: 'text', content: text }]);
    await expect(extractAll(archive.subarray(0, -30))).rejects.toThrow(/not a zip archive, or one that is cut short/);
  });

  it('refuses a file that is no archive', async () => {
    await expect(extractAll(Buffer.from('no zip'))).rejects.toThrow(/not a zip archive/);
  });

  it('refuses names that would lead out of the destination', async () => {
    await expect(extractAll(zipOf([{ name: 'a/../../b', content: text }]))).rejects.toThrow(/unsafe name/);
  });
});
