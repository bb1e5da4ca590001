// Keeps secrets in files: the token that nodes know, and the certificate by which they identify the coordinator. The
// files are made once and completely, are readable only by their owner, and are refused if others could have read them.
import { createSecretKey, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { open, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext, type SecureContext } from 'node:tls';
import { PseudolabelError } from '../../src/errors.js';
import { whyNotRead } from '../../src/files/read.js';
import { createFile } from '../../src/files/write.js';
import { isSystemError } from '../../src/files/write-errors.js';
import { TLS_OPTIONS } from '../../worker/address.js';

const TOKEN_BYTES = 32;
const MOST_BYTES = 2 ** 16;

/** Only the owner may read and write the file. */
const SECRET_MODE = 0o600;
const OTHERS = 0o077;
const ALL_BUT_GROUP_READS = 0o037;

/** Returns the folder in which this user's coordinators keep their files, by the XDG base directory specification. */
export function stateDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'pseudolabel');
}

/**
 * Reads the token in the file, as a key object, which shows nothing of itself when it is logged. Throws E_SECRET_FILE.
 */
export async function readToken(path: string): Promise<KeyObject> {
  const text = (await readSecret(path)).trim();
  const bytes = Buffer.from(text, 'hex');
  if (bytes.length !== TOKEN_BYTES || text.length !== 2 * TOKEN_BYTES) {
    const fix = `copy the coordinator's token file: it has ${2 * TOKEN_BYTES} hexadecimal digits`;
    throw new PseudolabelError('E_SECRET_FILE', `${path} holds no token`, fix);
  }
  return createSecretKey(bytes);
}

/** Reads the token in the file, and makes it first if it is not there. Throws E_SECRET_FILE, E_OUTPUT. */
export async function ensureToken(path: string): Promise<KeyObject> {
  await ensureSecret(path, () => Promise.resolve(`${randomBytes(TOKEN_BYTES).toString('hex')}\n`));
  return readToken(path);
}

/**
 * Writes what `make` returns to the file, if it is not there. If several processes do so at once, all find the content
 * of one.
 */
async function ensureSecret(path: string, make: () => Promise<string>): Promise<void> {
  if (!(await exists(path))) await createFile(path, make, SECRET_MODE);
}

/** Reads a file that only its owner may read. Throws E_SECRET_FILE. */
async function readSecret(path: string): Promise<string> {
  try {
    const handle = await open(path);
    try {
      const file = await handle.stat(); // The path may name another file by now.
      const { size } = file;
      if (process.platform !== 'win32' && !isSecret(file, process.geteuid!())) throw notSecret(path);
      if (size > MOST_BYTES) throw new PseudolabelError('E_SECRET_FILE', `${path} is too long`, 'check the path');
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isSystemError(error)) throw error;
    const fix = "check the path; the coordinator's join line names the file to copy";
    throw new PseudolabelError('E_SECRET_FILE', `${path} cannot be read: ${whyNotRead(error)}`, fix, { cause: error });
  }
}

/**
 * Returns whether only one user may read a file. A file of root that a group may read counts too, unless this process
 * is root: so systemd (credentials) and Kubernetes (secrets, with fsGroup) give a file to a single service, and
 * PostgreSQL has the same rule for its keys.
 */
export function isSecret({ mode, uid }: { readonly mode: number; readonly uid: number }, self: number): boolean {
  return (mode & (uid === 0 && self !== 0 ? ALL_BUT_GROUP_READS : OTHERS)) === 0;
}

async function exists(path: string): Promise<boolean> {
  try {
    await (await open(path)).close();
    return true;
  } catch (error) {
    return isSystemError(error) && error.code !== 'ENOENT'; // The code that reads the file will report other errors.
  }
}

function notSecret(path: string): PseudolabelError {
  const fix = `chmod 600 ${path}; if someone else may have read it, delete it, so that a new one is made`;
  return new PseudolabelError('E_SECRET_FILE', `${path} can be read by others than its owner`, fix);
}

export interface Certificate {
  readonly context: SecureContext;
  /** The PEM texts that the context was made of. */
  readonly pem: { readonly cert: string; readonly key: string };
  /** The SHA-256 of the certificate, as 64 hexadecimal digits. */
  readonly fingerprint: string;
}

/** The end of the certificate's validity. Nobody checks it, because the certificate is pinned. */
const SELF_SIGNED_UNTIL = new Date('2099-12-31');

/**
 * Reads the certificate in the file, with its key after it. Makes both first if the file is not there. Throws
 * E_SECRET_FILE, E_OUTPUT.
 */
export async function ensureCertificate(path: string): Promise<Certificate> {
  await ensureSecret(path, selfSigned);
  const pem = await readSecret(path);
  return identityOf(pem, pem, path);
}

/** Reads the user's own certificate (or chain) and its key, as PEM files. Throws E_SECRET_FILE. */
export async function readCertificate(certificatePath: string, keyPath: string): Promise<Certificate> {
  const key = await readSecret(keyPath);
  const certificate = await readFile(certificatePath, 'utf8').catch((error: unknown) => {
    throw unusable(certificatePath, error);
  });
  return identityOf(certificate, key, `${certificatePath} with ${keyPath}`);
}

function identityOf(cert: string, key: string, name: string): Certificate {
  try {
    const context = createSecureContext({ cert, key, ...TLS_OPTIONS });
    return {
      context,
      pem: { cert, key },
      fingerprint: new X509Certificate(cert).fingerprint256.replaceAll(':', '').toLowerCase(),
    };
  } catch (error) {
    throw unusable(name, error);
  }
}

async function selfSigned(): Promise<string> {
  const { generate } = await import('selfsigned'); // This import is here because only a first start needs it.
  const subject = [{ name: 'commonName', value: 'pseudolabel coordinator' }];
  const options = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256', notAfterDate: SELF_SIGNED_UNTIL } as const;
  const made = await generate(subject, options);
  return `${made.cert.trim()}\n${made.private.trim()}\n`;
}

function unusable(name: string, cause: unknown): PseudolabelError {
  const fix = 'give a certificate and its key as PEM files, or delete the file that was made, so that a new one is';
  return new PseudolabelError(
    'E_SECRET_FILE',
    `${name} cannot be used as certificate and key: ${whyNotRead(cause)}`,
    fix,
    {
      cause,
    },
  );
}
