// How fast a channel carries 16 MB, the gradient of a step, between two processes on loopback, and what processor time it takes this one:
// each way, with TLS and without, against a bare socket. Both ends do what nodes do: send out of shared memory, and copy what arrives into it. `node scripts/bench/channel.mjs`

import { fork } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { ensureCertificate } from '../../dist/coordinator/server/secrets.js';
import { listen } from '../../dist/coordinator/server/server.js';
import { connect } from '../../dist/worker/connect.js';

const BYTES = 2 ** 24;
const ROUNDS = Number(process.env.ROUNDS ?? 40);
const FRAME = Number(process.env.FRAME ?? 2 ** 20);

const word = (kind) => ({ schema: z.object({ kind: z.literal(kind) }), limit: 64 });
const TABLE = { go: word('go'), done: word('done') };
const tables = { outgoing: TABLE, incoming: TABLE };

const region = new Uint8Array(new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }).buffer);

/** One end of a transfer: send() resolves when the other end has it all; receive() asks for as much and resolves when it is here. */
function endOfChannel(channel) {
  let settle;
  const settled = () => new Promise((resolve) => (settle = resolve));
  const push = async () => {
    for (let offset = 0; offset < BYTES; offset += FRAME) {
      await channel.sendBulk(
        { kind: 0, step: 0, index: 0, attempt: 0, offset },
        region.subarray(offset, offset + FRAME),
      );
    }
  };
  channel.listen({
    message: ({ kind }) => (kind === 'go' ? push() : settle()),
    bulk: ({ offset }, payload) => {
      region.set(payload, offset);
      if (offset + payload.length < BYTES) return;
      if (settle) settle();
      else channel.send({ kind: 'done' });
    },
    closed: () => process.connected && process.disconnect?.(),
  });
  return {
    send: async () => {
      const done = settled();
      await push();
      await done;
    },
    receive: async () => {
      const done = settled();
      await channel.send({ kind: 'go' });
      await done;
      settle = undefined;
    },
  };
}

/** The same over a bare socket: one byte is a word. */
function endOfSocket(socket) {
  let settle;
  let received = 0;
  const settled = () => new Promise((resolve) => (settle = resolve));
  const push = async () => {
    for (let at = 0; at < BYTES; at += FRAME) {
      await new Promise((resolve) => socket.write(region.subarray(at, at + FRAME), resolve));
    }
  };
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    if (chunk.length === 1 && received === 0) {
      if (settle) settle();
      else push();
      return;
    }
    region.set(chunk, received);
    received += chunk.length;
    if (received < BYTES) return;
    received = 0;
    if (settle) settle();
    else socket.write('d');
  });
  socket.on('close', () => process.connected && process.disconnect?.());
  return {
    send: async () => {
      const done = settled();
      await push();
      await done;
      settle = undefined;
    },
    receive: async () => {
      const done = settled();
      socket.write('g');
      await done;
      settle = undefined;
    },
  };
}

async function measure(name, end) {
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const way = async (transfer) => {
    const rates = [];
    const processor = [];
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      const before = process.cpuUsage();
      await transfer();
      const { user, system } = process.cpuUsage(before);
      rates.push(BYTES / 1000 / (performance.now() - start));
      processor.push((user + system) / 1000);
    }
    return `${median(rates).toFixed(0).padStart(6)} MB/s, ${median(processor).toFixed(1).padStart(4)} ms`;
  };
  console.log(`${name.padEnd(16)} send ${await way(end.send)}   receive ${await way(end.receive)}`);
}

async function bench() {
  const peer = (settings) =>
    fork(fileURLToPath(import.meta.url), { env: { ...process.env, PEER: JSON.stringify(settings) } });
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  peer({ port: server.address().port });
  const [socket] = await once(server, 'connection');
  await measure('bare socket', endOfSocket(socket));
  socket.destroy();
  server.close();

  const secret = randomBytes(32);
  const folder = mkdtempSync(join(tmpdir(), 'bench-channel-'));
  const identity = await ensureCertificate(join(folder, 'identity.pem'));
  rmSync(folder, { recursive: true });
  for (const [name, tls] of [
    ['channel', undefined],
    ['channel, TLS', identity],
  ]) {
    const door = await listen({ token: createSecretKey(secret), tables, ...(tls && { tls }) });
    peer({ address: door.address, secret: secret.toString('hex') });
    const { value } = await door.arrivals.getReader().read();
    await measure(name, endOfChannel(value));
    value.close();
    door.close();
  }
}

if (process.env.PEER) {
  const { port, address, secret } = JSON.parse(process.env.PEER);
  if (port) endOfSocket(connectTcp(port, '127.0.0.1'));
  else endOfChannel(await connect({ address, token: createSecretKey(Buffer.from(secret, 'hex')), tables }));
} else {
  await bench();
}
