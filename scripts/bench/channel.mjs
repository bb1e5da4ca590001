// How fast a channel carries 16 MB, the gradient of a step, between two processes on loopback, and how much processor
// time that takes here: each way, with TLS and without, against a bare socket. Both ends do what nodes do: they send
// from shared memory, and copy what arrives into it. node scripts/bench/channel.mjs

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
import { median } from './measuring.mjs';

const BYTES = 2 ** 24;
const ROUNDS = Number(process.env.ROUNDS ?? 40);
const FRAME = Number(process.env.FRAME ?? 2 ** 20);

const word = (kind) => ({ schema: z.object({ kind: z.literal(kind) }), limit: 64 });
const TABLE = { go: word('go'), done: word('done') };
const tables = { outgoing: TABLE, incoming: TABLE };

const region = new Uint8Array(new WebAssembly.Memory({ initial: 256, maximum: 256, shared: true }).buffer);

/**
 * One end of a transfer. send() resolves when the other end has it all; receive() asks for as much and resolves when it
 * is here.
 * @param {{push: () => Promise<void>, say: (word: 'go' | 'done') => unknown}} way how it sends everything, and a word
 */
function endOf({ push, say }) {
  let settle;
  const settled = () =>
    new Promise((resolve) => {
      settle = () => {
        settle = undefined;
        resolve();
      };
    });
  return {
    heard: (word) => (word === 'go' ? push() : settle()),
    arrived: () => (settle ? settle() : say('done')),
    send: async () => {
      const done = settled();
      await push();
      await done;
    },
    receive: async () => {
      const done = settled();
      await say('go');
      await done;
    },
  };
}

const leave = () => process.connected && process.disconnect?.();

function endOfChannel(channel) {
  const end = endOf({
    push: async () => {
      for (let offset = 0; offset < BYTES; offset += FRAME) {
        const tag = { kind: 0, step: 0, index: 0, attempt: 0, offset };
        await channel.sendBulk(tag, region.subarray(offset, offset + FRAME));
      }
    },
    say: (kind) => channel.send({ kind }),
  });
  channel.listen({
    message: ({ kind }) => end.heard(kind),
    bulk: ({ offset }, payload) => {
      region.set(payload, offset);
      if (offset + payload.length === BYTES) end.arrived();
    },
    closed: leave,
  });
  return end;
}

/** The same over a bare socket, where a word is its first byte. */
function endOfSocket(socket) {
  const end = endOf({
    push: async () => {
      for (let at = 0; at < BYTES; at += FRAME) {
        await new Promise((resolve) => socket.write(region.subarray(at, at + FRAME), resolve));
      }
    },
    say: (word) => socket.write(word[0]),
  });
  let received = 0;
  socket.setNoDelay(true);
  socket.on('data', (chunk) => {
    if (chunk.length === 1 && received === 0) return end.heard(chunk.toString() === 'g' ? 'go' : 'done');
    region.set(chunk, received);
    received += chunk.length;
    if (received < BYTES) return;
    received = 0;
    end.arrived();
  });
  socket.on('close', leave);
  return end;
}

async function measure(name, end) {
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
    const server = await listen({ token: createSecretKey(secret), tables, ...(tls && { tls }) });
    peer({ address: server.address, secret: secret.toString('hex') });
    const { value } = await server.arrivals.getReader().read();
    await measure(name, endOfChannel(value));
    value.close();
    server.close();
  }
}

if (process.env.PEER) {
  const { port, address, secret } = JSON.parse(process.env.PEER);
  if (port) endOfSocket(connectTcp(port, '127.0.0.1'));
  else endOfChannel(await connect({ address, token: createSecretKey(Buffer.from(secret, 'hex')), tables }));
} else {
  await bench();
}
