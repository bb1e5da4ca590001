// Serves the dashboard: the page's files, a stream of news (server-sent events), and metrics for Prometheus. On
// loopback it is open to all users of the machine. Otherwise it uses TLS and asks for a token (access.ts).
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { PseudolabelError } from '../../src/errors.js';
import { built, MOST_TEXT_BYTES, readText } from '../../src/files/read.js';
import { isSystemError } from '../../src/files/write-errors.js';
import { PAGE_POLICY } from '../../src/reporting/page.js';
import { PAGE_STYLE } from '../../src/reporting/theme.js';
import { TLS_OPTIONS } from '../../worker/address.js';
import { reachable } from '../server/server.js';
import { type Access, type DashboardAddress, type Guard, LOGIN } from './access.js';
import { Audience, type Shown } from './audience.js';
import type { Gauges } from './gauges.js';

export interface DashboardServer {
  readonly url: string;
  /** Tells all pages the last news, and closes the server. */
  close(): Promise<void>;
}

/** What is served. */
interface Source extends Shown {
  readonly gauges: Gauges | undefined;
  /** The directory of the run or the reproduction. Its report.html is served, and those of the runs. */
  readonly directory: string;
}

const NEWS_MS = 250;
const MOST_CONNECTIONS = 128;
const MOST_HEADER_BYTES = 8192;
const REQUEST_MS = 10_000;
const LOCAL_HOSTS = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

/** Starts the server. guard: undefined if only loopback is served. Throws E_LISTEN. */
export async function serve(
  source: Source,
  { host, port }: Pick<DashboardAddress, 'host' | 'port'>,
  guard?: Guard,
): Promise<DashboardServer> {
  const files = filesOfPage();
  const audience = new Audience(source);
  const answered = (request: IncomingMessage, response: ServerResponse): void => {
    const answering =
      guard && !guard.access.knows(request) ? unauthenticated(guard.access, request, response) : undefined;
    (answering ?? answer(request, response, source, files, audience, guard === undefined)).catch(() =>
      response.destroy(),
    );
  };
  const limits = { maxHeaderSize: MOST_HEADER_BYTES, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS };
  const server = guard?.identity
    ? createTlsServer({ ...limits, ...TLS_OPTIONS, ...guard.identity.pem, handshakeTimeout: REQUEST_MS }, answered)
    : createServer(limits, answered);
  server.maxConnections = MOST_CONNECTIONS;
  await listening(server, host, port);
  const timer = setInterval(() => audience.tellNews(), NEWS_MS);
  const { port: bound } = server.address() as { port: number };
  return {
    url: urlOf(guard, host, bound),
    close: async () => {
      clearInterval(timer);
      audience.end();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeIdleConnections();
      setTimeout(() => server.closeAllConnections(), 1000).unref();
      await closed;
    },
  };
}

function urlOf(guard: Guard | undefined, host: string, port: number): string {
  const reached = reachable(host) ?? host;
  const shown = isIP(reached) === 6 ? `[${reached}]` : reached;
  return `${guard?.identity ? 'https' : 'http'}://${shown}:${port}/`;
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(isSystemError(error) ? cannotListen(port, error) : error));
    server.listen(port, host, () => resolve());
  });
}

function cannotListen(port: number, cause: Error): PseudolabelError {
  const fix = 'give an address of this machine and another port, or 0 for any that is free';
  return new PseudolabelError('E_LISTEN', `port ${port} cannot be listened on: ${cause.message}`, fix, { cause });
}

/** Answers a request that has not shown the token yet. */
async function unauthenticated(access: Access, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'POST' && request.url === LOGIN) await access.logIn(request, response);
  else access.ask(request, response);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: Source,
  files: ReadonlyMap<string, File>,
  audience: Audience,
  isLocal: boolean,
): Promise<void> {
  const refuse = (code: number): void => void response.writeHead(code).end();
  // Refuses DNS rebinding: a foreign page can have a browser send requests here under its own host name.
  if (isLocal && !LOCAL_HOSTS.test(request.headers.host ?? '')) return refuse(403);
  if (request.method !== 'GET') return refuse(405);
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/events') return audience.add(response, searchParams.get('run') ?? undefined);
  if (pathname === '/metrics' && source.gauges) {
    const { type, text } = await source.gauges.text();
    return send(response, { type, content: text });
  }
  const report = reportAt(pathname, source);
  const content = report === undefined ? undefined : await readText(report, MOST_TEXT_BYTES).catch(() => undefined);
  if (content !== undefined) {
    // The report may come from any source, so the policy lets no script in it run.
    return send(response, { type: 'text/html; charset=utf-8', content }, PAGE_POLICY);
  }
  const file = files.get(pathname);
  if (file) send(response, file, policyOf(files.get('/')!.content));
  else refuse(404);
}

/**
 * Returns the file of a report, of the directory or of a run in the table. No other path leads to a file of the
 * directory.
 */
function reportAt(pathname: string, { directory, runs }: Source): string | undefined {
  if (pathname === '/report.html') return join(directory, 'report.html');
  const names = runs?.table.rows.flatMap((row) => row.runs.map(({ name }) => name)) ?? [];
  const name = names.find((each) => pathname === `/${each}/report.html`);
  return name === undefined ? undefined : join(directory, name, 'report.html');
}

function send(response: ServerResponse, { type, content }: File, policy?: string): void {
  const headers = { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  const own = policy === undefined ? {} : { 'content-security-policy': policy };
  response.writeHead(200, { ...headers, ...own }).end(content);
}

interface File {
  readonly type: string;
  readonly content: string;
}

/** Returns the files of the page by their paths. */
function filesOfPage(): ReadonlyMap<string, File> {
  const library = createRequire(import.meta.url);
  const own = (name: string): string => readFileSync(built(`coordinator/dashboard/page/${name}`), 'utf8');
  const script = (content: string): File => ({ type: 'text/javascript; charset=utf-8', content });
  const style = (content: string): File => ({ type: 'text/css; charset=utf-8', content });
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', content: own('index.html') }],
    ...[
      'main.js',
      'view.js',
      'runs.js',
      'map.js',
      'unsure.js',
      'rounds.js',
      'elements.js',
      'charts.js',
      'series.js',
    ].map((name) => [`/${name}`, script(own(name))] as const),
    ['/page.css', style(PAGE_STYLE + own('page.css'))],
    ['/uplot.js', script(readFileSync(library.resolve('uplot/dist/uPlot.esm.js'), 'utf8'))],
    ['/uplot.css', style(readFileSync(library.resolve('uplot/dist/uPlot.min.css'), 'utf8'))],
  ]);
}

/** Returns a policy that allows only the page's own files and one inline script, the import map. */
function policyOf(index: string): string {
  const [, map = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(index) ?? [];
  const hash = createHash('sha256').update(map).digest('base64');
  const own = `default-src 'self'; script-src 'self' 'sha256-${hash}'; style-src 'self' 'unsafe-inline'`;
  return `${own}; img-src data:; frame-ancestors 'none'`;
}
