// Tests who may see a dashboard that others can reach: nobody without the token, and everybody who has sent it once.
import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Access, guardOf } from '../../../coordinator/dashboard/access.js';
import { Gauges } from '../../../coordinator/dashboard/gauges.js';
import { History } from '../../../coordinator/dashboard/history.js';
import { type DashboardServer, serve } from '../../../coordinator/dashboard/server.js';
import { ensureCertificate } from '../../../coordinator/server/secrets.js';
import { folderOfFile } from '../../folders.js';

const TOKEN = randomBytes(32);
const SECRET_PATHS = ['/', '/events', '/metrics', '/main.js', '/report.html'];

const folder = folderOfFile('access');
let server: DashboardServer;
beforeAll(async () => {
  const identity = await ensureCertificate(join(folder, 'identity.pem'));
  const history = new History({ name: 'secret', title: 'Secret', stages: [], hasReport: false }, [], [], undefined);
  const guard = { tokenFile: 'token', identity, access: new Access(createSecretKey(TOKEN), true) };
  const source = { history, gauges: new Gauges(() => 0), directory: folder };
  server = await serve(source, { host: '127.0.0.1', port: 0 }, guard);
});
afterAll(() => server.close());

interface Reply {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

async function ask(
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Reply> {
  const { body, ...rest } = options;
  const sent = request(new URL(path, server.url), { ...rest, rejectUnauthorized: false }).end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const { statusCode: status, headers } = response;
  if (headers['content-type'] === 'text/event-stream') {
    response.destroy();
    return { status, headers, text: '' };
  }
  let text = '';
  for await (const part of response.setEncoding('utf8')) text += part;
  return { status, headers, text };
}

const logIn = (token: string) =>
  ask('/login', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'text/html' },
    body: new URLSearchParams({ token }).toString(),
  });

describe('a dashboard that others can reach', () => {
  it('shows a stranger nothing but a form, whatever they ask for', async () => {
    for (const path of SECRET_PATHS) {
      const { status, text } = await ask(path, { headers: { accept: 'text/html' } });
      expect(status, path).toBe(401);
      expect(text).toContain('<form method="post" action="/login">');
      expect(text).not.toContain('ecret');
    }
    expect((await ask('/metrics')).text).toBe('the token is missing\n');
    const forged = { cookie: 'pseudolabel-session=; pseudolabel-session=undefined', accept: 'text/html' };
    expect((await ask('/', { headers: forged })).status).toBe(401);
  });

  it('gives a session for the token, once, in a cookie that scripts and other sites do not see', async () => {
    const { status, headers } = await logIn(` ${TOKEN.toString('hex').toUpperCase()}\n`);
    expect([status, headers.location]).toEqual([303, '/']);
    const [cookie] = headers['set-cookie']!;
    expect(cookie).toMatch(/^pseudolabel-session=[\da-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Secure$/);
    const session = { cookie: `other=1; ${cookie!.split(';')[0]}` };
    expect((await ask('/', { headers: session })).text).toContain('id="nodes"');
    expect((await ask('/events', { headers: session })).status).toBe(200);
    expect((await ask('/', { headers: { ...session, host: 'a-name-of-its-own:8765' } })).status).toBe(200);
  });

  it('gives none for anything else', async () => {
    const wrong = Buffer.from(TOKEN);
    wrong[31]! ^= 1;
    for (const token of [
      '',
      'token',
      wrong.toString('hex'),
      TOKEN.toString('hex').slice(2),
      TOKEN.toString('base64'),
    ]) {
      const { status, headers, text } = await logIn(token);
      expect([status, headers['set-cookie']], token).toEqual([401, undefined]);
      expect(text).toContain('That is not the token.');
    }
    await expect(logIn('a'.repeat(10_000))).rejects.toThrow();
    expect((await ask('/login?token=x', { headers: { accept: 'text/html' } })).status).toBe(401);
  });

  it('lets a program show the token with each question', async () => {
    const bearer = (token: string) => ask('/metrics', { headers: { authorization: `Bearer ${token}` } });
    expect((await bearer(TOKEN.toString('hex'))).text).toMatch(/^pseudolabel_lost_workers 0$/m);
    expect((await bearer('f'.repeat(64))).status).toBe(401);
  });

  it('speaks TLS 1.3 alone', async () => {
    const { port } = new URL(server.url);
    const old = connect({ port: Number(port), host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
    const [error] = (await once(old, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toMatch(/PROTOCOL_VERSION|ECONNRESET/);
  });
});

describe('the guard of an address', () => {
  it('is not there on loopback, and has a token file of its owner alone beyond it', async () => {
    expect(await guardOf({ host: '127.0.0.1', port: 0 })).toBeUndefined();
    expect(await guardOf({ host: '::1', port: 0 })).toBeUndefined();
    const tokenFile = join(folder, 'dashboard-token');
    const guard = await guardOf({ host: '0.0.0.0', port: 0, tokenFile, insecure: true });
    expect(guard).toMatchObject({ tokenFile, identity: undefined });
    expect(await readFile(tokenFile, 'utf8')).toMatch(/^[\da-f]{64}\n$/);
  });
});
