// Tests how workers and servers find each other over real sockets: coordinators that come late or not at all, TLS on
// one side only, what a server prints, and its end.
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { PseudolabelError } from '../../src/errors.js';
import { conversation } from '../intruders.js';
import { Arrivals, closedAfterEach, joinServer, newCertificate, openServer, portOf } from '../sockets.js';

const identity = await newCertificate();
const closing = closedAfterEach();

describe('connect', () => {
  it('waits for a coordinator that comes later', async () => {
    const spare = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => spare.on('listening', resolve));
    const { port } = spare.address() as { port: number };
    await new Promise((resolve) => spare.close(resolve));
    const failures: PseudolabelError[] = [];
    const joining = joinServer(
      { address: `ws://127.0.0.1:${port}` },
      { patience: 120_000, onRetry: (failure) => failures.push(failure) },
    );
    await expect.poll(() => failures.length).toBeGreaterThan(1);
    const server = closing(await openServer({ port }));
    closing(await joining);
    expect(new Set(failures.map(({ code }) => code))).toEqual(new Set(['E_UNREACHABLE']));
    expect(server.refused.size).toBe(0);
  });

  it('gives up when its patience is at its end, and at once without any', async () => {
    const nowhere = { address: 'wss://127.0.0.1:1' };
    await expect(joinServer(nowhere)).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
    await expect(joinServer(nowhere, { patience: 300 })).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
  });

  it('stops when it is told to, at an attempt and between two', async () => {
    const mute = createServer((socket) => closing({ close: () => socket.destroy() })).listen(0, '127.0.0.1');
    closing(mute);
    await new Promise((resolve) => mute.on('listening', resolve));
    const { port } = mute.address() as { port: number };
    for (const address of [`ws://127.0.0.1:${port}`, `wss://127.0.0.1:${port}`, 'ws://127.0.0.1:1']) {
      const signal = AbortSignal.timeout(100);
      await expect(joinServer({ address }, { patience: 60_000, signal })).rejects.toMatchObject({
        name: 'TimeoutError',
      });
    }
    const signal = AbortSignal.abort(new Error('no'));
    await expect(joinServer({ address: 'ws://127.0.0.1:1' }, { signal })).rejects.toThrow('no');
  });

  it('says what to do where one side has TLS and the other has not', async () => {
    const plain = closing(await openServer());
    const asTls = { address: plain.address.replace('ws:', 'wss:') };
    await expect(joinServer(asTls)).rejects.toMatchObject({
      code: 'E_UNREACHABLE',
      fix: expect.stringContaining('join line'),
    });
    const secure = closing(await openServer({ tls: identity }));
    const asPlain = { address: secure.address.replace('wss:', 'ws:') };
    await expect(joinServer(asPlain)).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
  });

  it('needs TLS beyond this machine, unless told otherwise; so does a server', async () => {
    await expect(openServer({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'E_INSECURE' });
    const server = closing(await openServer({ host: '0.0.0.0', insecure: true }));
    if (server.address.includes('127.0.0.1')) return; // This machine has no network.
    await expect(joinServer(server, { patience: 60_000 })).rejects.toMatchObject({ code: 'E_INSECURE' });
    closing(await joinServer(server, { insecure: true }));
    const secure = closing(await openServer({ host: '0.0.0.0', tls: identity }));
    closing(await joinServer(secure));
  });
});

describe('a server', () => {
  it('says what a worker needs but the token, and whether only this machine reaches it, by a name too (case 10)', async () => {
    const server = closing(await openServer({ tls: identity }));
    const pin = ['--fingerprint', identity.fingerprint];
    expect(server.joinWith('state/token')).toEqual([server.address, '--token-file', 'state/token', ...pin]);
    expect(server.loopback).toBe('127.0.0.1');
    const named = closing(await openServer({ host: 'localhost', tls: identity }));
    expect(named.loopback).toMatch(/^(127\.0\.0\.1|::1)$/);
    const open = closing(await openServer({ host: '0.0.0.0', insecure: true }));
    expect(open.loopback).toBeUndefined();
    expect(open.joinWith('token')).toEqual([open.address, '--token-file', 'token', '--insecure']);
    expect(server.fingerprint).toMatch(/^[0-9a-f]{64}$/);
  });

  it('says so when its address is taken, is none, or is not of this machine', async () => {
    const server = closing(await openServer());
    await expect(openServer({ port: portOf(server) })).rejects.toMatchObject({ code: 'E_LISTEN' });
    await expect(openServer({ host: 'no.such.host.invalid' })).rejects.toMatchObject({ code: 'E_LISTEN' });
    await expect(openServer({ host: '192.0.2.1', insecure: true })).rejects.toMatchObject({ code: 'E_LISTEN' });
  });

  it('closes to those outside, not to those inside', async () => {
    const server = await openServer();
    const arrivals = new Arrivals(server);
    const talk = await conversation(server, arrivals, closing);
    server.close();
    await expect(joinServer(server)).rejects.toMatchObject({ code: 'E_UNREACHABLE' });
    await expect(arrivals.next()).rejects.toThrow('closed');
    expect(await talk.stop()).toBeGreaterThan(0);
  });
});
