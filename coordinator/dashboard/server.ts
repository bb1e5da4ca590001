// Owns the dashboard's server: the page's files, a stream of news (server-sent events), and numbers for Prometheus. On
// loopback for anyone; beyond it by TLS, for those who know a token (access.ts).
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { createRequire } from 'node:module';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { built } from '../../src/built.js';
import { PseudolabelError } from '../../src/errors.js';
import { isSystemError } from '../../src/files.js';
import { PAGE_STYLE } from '../../src/report/theme.js';
import { TLS_OPTIONS } from '../../worker/tls.js';
import { reachable } from '../door/listener.js';
import { type Access, type Guard, LOGIN, type Place } from './access.js';
import type { Gauges } from './gauges.js';
import type { Cursor, History } from './history.js';
import type { MessageName } from './messages.js';

export interface DashboardServer {
  readonly url: string;
  /** Tells everyone the last news, and ends. */
  close(): Promise<void>;
}

/** What is served. */
export interface Source {
  readonly history: History;
  readonly gauges: Gauges | undefined;
  /** Of the run; its report.html is served where there is one. */
  readonly directory: string;
}

const NEWS_MS = 250;
/** A page that does not read is let go, and asks for everything when it is back. */
const MOST_UNREAD_BYTES = 2 ** 24;
const MOST_PAGES = 32;
const MOST_CONNECTIONS = 128;
const MOST_HEADER_BYTES = 8192;
const REQUEST_MS = 10_000;
const LOCAL_HOSTS = /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/;

interface File {
  readonly type: string;
  readonly content: string;
}

/** guard: undefined on loopback alone. Throws E_LISTEN. */
export async function serve(
  source: Source,
  { host, port }: Pick<Place, 'host' | 'port'>,
  guard?: Guard,
): Promise<DashboardServer> {
  const files = filesOfPage();
  const pages = new Map<ServerResponse, Cursor>();
  const answered = (request: IncomingMessage, response: ServerResponse): void => {
    const answering = guard && !guard.access.knows(request) ? stranger(guard.access, request, response) : undefined;
    (answering ?? answer(request, response, source, files, pages, guard === undefined)).catch(() => response.destroy());
  };
  const limits = { maxHeaderSize: MOST_HEADER_BYTES, headersTimeout: REQUEST_MS, requestTimeout: REQUEST_MS };
  const server = guard?.identity
    ? createTlsServer({ ...limits, ...TLS_OPTIONS, ...guard.identity.pem, handshakeTimeout: REQUEST_MS }, answered)
    : createServer(limits, answered);
  server.maxConnections = MOST_CONNECTIONS;
  await listening(server, host, port);
  const timer = setInterval(() => tellNews(source.history, pages), NEWS_MS);
  const { port: bound } = server.address() as { port: number };
  return {
    url: urlOf(guard, host, bound),
    close: async () => {
      clearInterval(timer);
      tellNews(source.history, pages);
      for (const page of pages.keys()) page.end();
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

/** Of someone who has not shown the token yet. */
async function stranger(access: Access, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'POST' && request.url === LOGIN) await access.logIn(request, response);
  else access.ask(request, response);
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  source: Source,
  files: ReadonlyMap<string, File>,
  pages: Map<ServerResponse, Cursor>,
  isLocal: boolean,
): Promise<void> {
  const refuse = (code: number): void => void response.writeHead(code).end();
  // A page from elsewhere can make a browser send requests here under a name of its own: only our own names are answered.
  if (isLocal && !LOCAL_HOSTS.test(request.headers.host ?? '')) return refuse(403);
  if (request.method !== 'GET') return refuse(405);
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/events') return subscribe(response, source.history, pages);
  if (pathname === '/metrics' && source.gauges) {
    const { type, text } = await source.gauges.text();
    return send(response, { type, content: text });
  }
  const report = join(source.directory, 'report.html');
  if (pathname === '/report.html' && existsSync(report)) {
    return send(response, { type: 'text/html; charset=utf-8', content: readFileSync(report, 'utf8') });
  }
  const file = files.get(pathname);
  if (file) send(response, file, files.get('/')!.content);
  else refuse(404);
}

function send(response: ServerResponse, { type, content }: File, policyFor?: string): void {
  const headers = { 'content-type': type, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };
  const policy = policyFor === undefined ? {} : { 'content-security-policy': policyOf(policyFor) };
  response.writeHead(200, { ...headers, ...policy }).end(content);
}

/** Only our own files, and the one inline script that there is: the import map. */
function policyOf(index: string): string {
  const [, map = ''] = /<script type="importmap">(.*?)<\/script>/s.exec(index) ?? [];
  const hash = createHash('sha256').update(map).digest('base64');
  const own = `default-src 'self'; script-src 'self' 'sha256-${hash}'; style-src 'self' 'unsafe-inline'`;
  return `${own}; img-src data:; frame-ancestors 'none'`;
}

function subscribe(response: ServerResponse, history: History, pages: Map<ServerResponse, Cursor>): void {
  if (pages.size >= MOST_PAGES) return void response.writeHead(503, { 'retry-after': '5' }).end();
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write('retry: 1000\n');
  pages.set(response, history.cursor);
  tell(response, 'everything', history.everything());
  response.on('close', () => pages.delete(response));
}

function tellNews(history: History, pages: Map<ServerResponse, Cursor>): void {
  for (const [page, cursor] of pages) {
    if (page.writableLength > MOST_UNREAD_BYTES) page.destroy();
    else tell(page, 'news', history.since(cursor));
    pages.set(page, history.cursor);
  }
}

function tell(page: ServerResponse, name: MessageName, message: object): void {
  page.write(`event: ${name}\ndata: ${JSON.stringify(message)}\n\n`);
}

function filesOfPage(): ReadonlyMap<string, File> {
  const library = createRequire(import.meta.url);
  const own = (name: string): string => readFileSync(built(`coordinator/dashboard/page/${name}`), 'utf8');
  const script = (content: string): File => ({ type: 'text/javascript; charset=utf-8', content });
  const style = (content: string): File => ({ type: 'text/css; charset=utf-8', content });
  return new Map([
    ['/', { type: 'text/html; charset=utf-8', content: own('index.html') }],
    ...['main.js', 'view.js', 'charts.js', 'series.js'].map((name) => [`/${name}`, script(own(name))] as const),
    ['/page.css', style(PAGE_STYLE + own('page.css'))],
    ['/uplot.js', script(readFileSync(library.resolve('uplot/dist/uPlot.esm.js'), 'utf8'))],
    ['/uplot.css', style(readFileSync(library.resolve('uplot/dist/uPlot.min.css'), 'utf8'))],
  ]);
}
