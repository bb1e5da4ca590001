// Tests the dashboard's server without a browser.
import { once } from 'node:events';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage, request } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Gauges } from '../../../coordinator/dashboard/gauges.js';
import { History } from '../../../coordinator/dashboard/history.js';
import { type DashboardServer, serve } from '../../../coordinator/dashboard/server.js';
import { folderOfTest } from '../../folders.js';
import { METRICS } from '../reporting/record.js';

const HERE = { host: '127.0.0.1', port: 0 };

let history: History;
let server: DashboardServer;
beforeEach(async () => {
  const info = { name: 'mine', title: 'Mine', stages: [{ title: 'Fine-tuning', steps: 40 }], hasReport: false };
  history = new History(info, ['finetune'], METRICS.slice(0, 3), undefined);
  server = await serve({ history, gauges: new Gauges(() => 3), directory: '/nowhere' }, HERE);
});
afterEach(() => server.close());

const statusOf = async (path: string, options: { method?: string; headers?: Record<string, string> } = {}) => {
  const sent = request(new URL(path, server.url), options).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
};

/** Returns the next message of a stream of events. */
async function message(stream: IncomingMessage): Promise<{ name: string; data: { steps: unknown[]; state: string } }> {
  let text = '';
  for (;;) {
    const [chunk] = (await once(stream, 'data')) as [string];
    text += chunk;
    const [, name, data] = /event: (\w+)\ndata: (.*)\n\n/.exec(text) ?? [];
    if (name !== undefined) return { name, data: JSON.parse(data!) };
  }
}

describe('the server of the dashboard', () => {
  it('tells everything first, then what is new, and the end before it closes', async () => {
    const [stream] = (await once(get(new URL('/events', server.url)), 'response')) as [IncomingMessage];
    stream.setEncoding('utf8');
    const first = await message(stream);
    expect(first).toMatchObject({ name: 'everything', data: { info: { name: 'mine' }, state: 'running' } });
    expect(first.data.steps).toHaveLength(2);
    history.measured(METRICS[3]!);
    let news = await message(stream);
    while (news.data.steps.length === 0) news = await message(stream);
    expect(news.data.steps).toEqual([[0, 2, expect.any(Number), expect.any(Number), 0, 0, 0, 0, 288]]);
    history.ends('ended', 'done');
    const closed = server.close();
    while (news.data.state === 'running') news = await message(stream);
    expect(news.data.state).toBe('ended');
    stream.resume();
    await closed;
  });

  it('answers only under names of this machine, only what it has, and only questions', async () => {
    const { port } = new URL(server.url);
    expect(await statusOf('/')).toBe(200);
    for (const host of [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]) {
      expect(await statusOf('/', { headers: { host } }), host).toBe(200);
    }
    for (const host of ['evil.example', `127.0.0.1.evil.example:${port}`, 'localhost.evil']) {
      expect(await statusOf('/', { headers: { host } }), host).toBe(403);
    }
    for (const path of ['/report.html', '/../package.json', '/main.js.map', '/%2e%2e/server.js']) {
      expect(await statusOf(path), path).toBe(404);
    }
    expect(await statusOf('/', { method: 'POST' })).toBe(405);
  });

  it('lets the page run its own files and one import map, and nothing else', async () => {
    const response = await fetch(server.url);
    const policy = response.headers.get('content-security-policy');
    expect(policy).toMatch(/script-src 'self' 'sha256-[\w+/=]{44}'; /);
    const page = await response.text();
    expect(page.match(/<script\b/g)).toHaveLength(2);
    const [head] = page.split('</head>');
    for (const path of Array.from(head!.matchAll(/(?:src|href)="(\/[^"]*)"/g), ([, path]) => path!)) {
      expect(await statusOf(path), path).toBe(200);
    }
  });

  it('lets nothing run in a report that somebody else may have written (case S4)', async () => {
    const directory = folderOfTest('reported');
    writeFileSync(join(directory, 'report.html'), '<script>alert(1)</script>');
    const other = await serve({ history, gauges: undefined, directory }, HERE);
    try {
      const response = await fetch(new URL('/report.html', other.url));
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src/);
    } finally {
      await other.close();
    }
  });

  it('has a page that makes its elements of text, never of markup (case S4)', () => {
    const folder = new URL('../../../coordinator/dashboard/page/', import.meta.url);
    const sources = readdirSync(folder).map((name) => readFileSync(new URL(name, folder), 'utf8'));
    expect(sources.length).toBeGreaterThan(5);
    const markup =
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\b/;
    expect(sources.filter((source) => markup.test(source))).toEqual([]);
  });

  it("has Prometheus' numbers, and none of what was not measured", async () => {
    const gauges = new Gauges(() => 3);
    const other = await serve({ history, gauges, directory: '/nowhere' }, HERE);
    try {
      const text = async () => (await fetch(new URL('/metrics', other.url))).text();
      expect(await text()).toMatch(/^pseudolabel_lost_workers 3$/m);
      expect(await text()).not.toMatch(/^pseudolabel_(alpha|validation_accuracy) /m);
      for (const metric of METRICS) {
        if (metric.kind === 'step') gauges.measured({ ...metric, loss: metric.labelledLoss });
        else if (metric.kind !== 'labels') gauges.measured(metric);
      }
      const now = await text();
      expect(now).toMatch(/^pseudolabel_steps_total\{stage="finetune"\} 20$/m);
      expect(now).toMatch(/^pseudolabel_alpha 3$/m);
      expect(now).toMatch(/^pseudolabel_counted_share 0\.75$/m);
      expect(now).toMatch(/^pseudolabel_validation_accuracy 0\.8$/m);
      expect(now).toMatch(/^process_cpu_seconds_total /m);
    } finally {
      await other.close();
    }
  });

  it('says so where its port is taken', async () => {
    const { port } = new URL(server.url);
    const source = { history, gauges: undefined, directory: '/nowhere' };
    await expect(serve(source, { ...HERE, port: Number(port) })).rejects.toMatchObject({
      code: 'E_LISTEN',
      fix: expect.stringContaining('port'),
    });
  });
});
