// Decides who may see a dashboard that other machines can reach: those who know its token. A browser sends the token
// once, in a form over TLS, and then has a session. Programs such as Prometheus send it with each request.
import { createHash, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { lookup } from 'node:dns/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { html, page, section } from '../../src/reporting/page.js';
import { isLoopback } from '../../worker/address.js';
import {
  type Certificate,
  ensureCertificate,
  ensureToken,
  readCertificate,
  stateDirectory,
} from '../server/secrets.js';

/** The address of a dashboard, and how it is protected if other machines can reach it. */
export interface DashboardAddress {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Defaults to the user's own token file, which is made if there is none. */
  readonly tokenFile?: string | undefined;
  /** Allows connections from other machines without TLS. */
  readonly insecure?: boolean;
  /** PEM files of the user's own certificate. Defaults to the coordinator's certificate. */
  readonly certificate?: { readonly file: string; readonly key: string } | undefined;
}

export interface Guard {
  readonly tokenFile: string;
  /** If undefined, nothing is encrypted. */
  readonly identity: Certificate | undefined;
  readonly access: Access;
}

/** Returns undefined for an address that only this machine reaches. Throws E_SECRET_FILE, E_OUTPUT. */
export async function guardOf({
  host,
  tokenFile,
  insecure,
  certificate,
}: DashboardAddress): Promise<Guard | undefined> {
  const found = await lookup(host).catch(() => undefined); // Listening will report the error.
  if (!found || isLoopback(found.address)) return undefined;
  const file = tokenFile ?? join(stateDirectory(), 'dashboard-token');
  const own = () => ensureCertificate(join(stateDirectory(), 'coordinator.pem'));
  const identity = insecure
    ? undefined
    : await (certificate ? readCertificate(certificate.file, certificate.key) : own());
  return { tokenFile: file, identity, access: new Access(await ensureToken(file), identity !== undefined) };
}

const COOKIE = 'pseudolabel-session';
const SESSION_BYTES = 32;
/** The most sessions. The oldest one ends when there is one more. */
const MOST_SESSIONS = 256;
const MOST_FORM_BYTES = 1024;
export const LOGIN = '/login';

export class Access {
  private readonly sessions = new Set<string>();
  private readonly token: Buffer;

  constructor(
    token: KeyObject,
    private readonly isEncrypted: boolean,
  ) {
    this.token = digest(token.export().toString('hex'));
  }

  knows({ headers }: IncomingMessage): boolean {
    const bearer = /^Bearer (\S+)$/i.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.isToken(bearer);
    const cookies = (headers.cookie ?? '').split(';').map((each) => each.trim().split('='));
    return cookies.some(([name, value]) => name === COOKIE && this.sessions.has(value ?? ''));
  }

  /** Answers a request without the token. If a page was asked for, the answer is the form. */
  ask({ headers }: IncomingMessage, response: ServerResponse, note?: string): void {
    const wantsPage = headers.accept?.includes('text/html') ?? false;
    response.writeHead(401, { ...HEADERS, 'www-authenticate': 'Bearer', 'content-type': 'text/html; charset=utf-8' });
    response.end(wantsPage ? form(note) : 'the token is missing\n');
  }

  /** Answers the form: with a session, if the token is right. */
  async logIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const given = new URLSearchParams(await bodyOf(request)).get('token') ?? '';
    if (!this.isToken(given)) return this.ask(request, response, 'That is not the token.');
    const session = randomBytes(SESSION_BYTES).toString('hex');
    this.sessions.add(session);
    if (this.sessions.size > MOST_SESSIONS) this.sessions.delete(this.sessions.values().next().value!);
    const secure = this.isEncrypted ? '; Secure' : '';
    const cookie = `${COOKIE}=${session}; Path=/; HttpOnly; SameSite=Strict${secure}`;
    response.writeHead(303, { ...HEADERS, location: '/', 'set-cookie': cookie }).end();
  }

  /** Compares in constant time. */
  private isToken(text: string): boolean {
    return timingSafeEqual(digest(text.trim().toLowerCase()), this.token);
  }
}

const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY' };

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Reads the body. Throws if it is longer than a form with a token can be. */
async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = '';
  for await (const chunk of request.setEncoding('utf8')) {
    body += chunk;
    if (body.length > MOST_FORM_BYTES) throw new RangeError('the form is too long');
  }
  return body;
}

const form = (note?: string): string =>
  page('The dashboard of a run', 'pseudolabel', [
    section('Who is there?', [
      html`<form method="post" action="${LOGIN}"><p>${note}</p><p><label>The token, which is in the file that the coordinator named:
<input name="token" type="password" size="64" autocomplete="current-password" required autofocus></label> <button>Show</button></p></form>`,
    ]),
  ]);
