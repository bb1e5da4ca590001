// Owns the certificate by which workers know a coordinator: the user's own, or one that is made on first use and stays.
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { PseudolabelError } from '../../src/errors.js';
import { whyNotRead } from '../../src/files/read.js';
import { TLS_OPTIONS } from '../../worker/address.js';
import { ensureSecret, readSecret } from './secrets.js';

export interface Certificate {
  readonly context: SecureContext;
  /** What the context was made of. */
  readonly pem: { readonly cert: string; readonly key: string };
  /** SHA-256 of the certificate, as 64 hexadecimal digits. */
  readonly fingerprint: string;
}

/** Nobody checks its end: it is pinned. */
const SELF_SIGNED_UNTIL = new Date('2099-12-31');

/** The certificate in the file, with its key behind it; both are made first if the file is not there. Throws E_SECRET_FILE, E_OUTPUT. */
export async function ensureCertificate(path: string): Promise<Certificate> {
  await ensureSecret(path, selfSigned);
  const pem = await readSecret(path);
  return identityOf(pem, pem, path);
}

/** A certificate (or chain) and its key of the user's own, as PEM files. Throws E_SECRET_FILE. */
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
  const { generate } = await import('selfsigned'); // here, because only a first start needs it
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
