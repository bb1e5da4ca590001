// Tests the files of tokens and certificates: how they are made, who may read them, and when they are refused.
import { X509Certificate } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  ensureCertificate,
  ensureToken,
  isSecret,
  readCertificate,
  readToken,
  stateDirectory,
} from '../../../coordinator/server/secrets.js';
import { folderOfFile } from '../../folders.js';

const folder = folderOfFile('secrets');
const path = (name: string) => join(folder, name);
const refused = expect.objectContaining({ code: 'E_SECRET_FILE' });

describe('a token file', () => {
  it('is made once, with 32 random bytes, for its owner only', async () => {
    const file = path('state/pseudolabel/token');
    const made = await Promise.all(Array.from({ length: 8 }, () => ensureToken(file)));
    const again = await readToken(file);
    for (const token of made) expect(token.equals(again)).toBe(true);
    expect(again.symmetricKeySize).toBe(32);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(statSync(path('state/pseudolabel')).mode & 0o777).toBe(0o700);
    expect(readdirSync(path('state/pseudolabel'))).toEqual(['token']);
    expect((await ensureToken(path('other'))).equals(again)).toBe(false);
  });

  it('shows nothing of itself in a log', async () => {
    const token = await ensureToken(path('logged'));
    const digits = readFileSync(path('logged'), 'utf8').trim();
    const shown = `${token} ${inspect(token, { depth: 9, showHidden: true })} ${JSON.stringify({ token })}`;
    expect(shown).not.toContain(digits.slice(0, 8));
  });

  it.each([0o644, 0o640, 0o604, 0o620])('is refused with mode %o', async (mode) => {
    const file = path(`open-${mode}`);
    await ensureToken(file);
    chmodSync(file, mode);
    await expect(readToken(file)).rejects.toEqual(refused);
    await expect(ensureToken(file)).rejects.toEqual(refused);
  });

  it('may be read by a group where it is root who hands it to a service, and nowhere else', () => {
    const [root, self, other] = [0, 1000, 1001];
    for (const mode of [0o400, 0o600, 0o440, 0o640]) expect(isSecret({ mode, uid: root }, self)).toBe(true);
    for (const mode of [0o660, 0o650, 0o444, 0o644, 0o641]) expect(isSecret({ mode, uid: root }, self)).toBe(false);
    for (const [uid, reader] of [
      [root, root],
      [self, self],
      [other, self],
    ] as const) {
      expect(isSecret({ mode: 0o600, uid }, reader)).toBe(true);
      expect(isSecret({ mode: 0o440, uid }, reader)).toBe(false);
    }
  });

  it('is refused where it is missing, is a folder, or holds something else', async () => {
    await expect(readToken(path('missing'))).rejects.toEqual(refused);
    await expect(readToken(folder)).rejects.toEqual(refused);
    for (const content of ['', 'ab'.repeat(31), 'ab'.repeat(33), `${'ab'.repeat(31)}xy`, 'a'.repeat(70_000)]) {
      writeFileSync(path('wrong'), content, { mode: 0o600 });
      await expect(readToken(path('wrong'))).rejects.toEqual(refused);
    }
  });

  it('lies in the state directory of its user', () => {
    expect(stateDirectory({ XDG_STATE_HOME: '/state' })).toBe('/state/pseudolabel');
    expect(stateDirectory({})).toMatch(/\.local\/state\/pseudolabel$/);
  });
});

describe('the identity of a coordinator', () => {
  it('is made once, for its owner only, and stays', async () => {
    const file = path('tls/coordinator.pem');
    const [one, two] = await Promise.all([ensureCertificate(file), ensureCertificate(file)]);
    const pem = readFileSync(file, 'utf8');
    const certificate = new X509Certificate(pem);
    expect(one.fingerprint).toBe(two.fingerprint);
    expect(one.fingerprint).toBe(certificate.fingerprint256.replaceAll(':', '').toLowerCase());
    expect((await ensureCertificate(file)).fingerprint).toBe(one.fingerprint);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(new Date(certificate.validTo).getFullYear()).toBe(2099);
  });

  it("can be the user's own, of two files, whose key is secret", async () => {
    const { fingerprint } = await ensureCertificate(path('made.pem'));
    const pem = readFileSync(path('made.pem'), 'utf8');
    const [certificate, key] = pem.split(/(?=-----BEGIN PRIVATE KEY)/) as [string, string];
    writeFileSync(path('own.crt'), certificate);
    writeFileSync(path('own.key'), key, { mode: 0o600 });
    expect((await readCertificate(path('own.crt'), path('own.key'))).fingerprint).toBe(fingerprint);
    chmodSync(path('own.key'), 0o644);
    await expect(readCertificate(path('own.crt'), path('own.key'))).rejects.toEqual(refused);
  });

  it('is refused where it is damaged, missing, or of two that do not belong together', async () => {
    writeFileSync(path('damaged.pem'), 'no certificate', { mode: 0o600 });
    await expect(ensureCertificate(path('damaged.pem'))).rejects.toEqual(refused);
    await ensureCertificate(path('one.pem'));
    await ensureCertificate(path('two.pem'));
    await expect(readCertificate(path('missing.crt'), path('one.pem'))).rejects.toEqual(refused);
    await expect(readCertificate(path('one.pem'), path('two.pem'))).rejects.toEqual(refused);
  });
});
