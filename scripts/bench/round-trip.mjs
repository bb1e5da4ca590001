// Measures what a byte takes to another host and back, from one program of Node's to another, as a node and its coordinator see it.
// As a program, one end of it: node scripts/bench/round-trip.mjs answer HOST, or ask HOST PORT.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { argv } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from './tables.mjs';

const SELF = fileURLToPath(import.meta.url);
const RELAY = fileURLToPath(new URL('delay.mjs', import.meta.url));
const TIMES = 100;
/** Between two of them, as between two messages of a step. */
const PAUSE_MS = 4;

/**
 * @param {readonly [Host, Host]} hosts of namespaces.mjs
 * @param {number} delay milliseconds each way, of a relay on the second host; 0: without one
 * @returns {Promise<number>} milliseconds
 */
export async function roundTrip([one, other], delay) {
  const children = [];
  const said = async (host, ...args) => {
    const child = host.spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    return line;
  };
  try {
    const port = await said(one, SELF, 'answer', one.address);
    if (delay === 0) return Number(await said(other, SELF, 'ask', one.address, port));
    const relayed = await said(other, RELAY, '127.0.0.1:0', `${one.address}:${port}`, `${delay}`);
    return Number(await said(other, SELF, 'ask', '127.0.0.1', relayed));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function answer(host) {
  const server = createServer({ noDelay: true }, (socket) => socket.pipe(socket));
  server.listen(0, host);
  await once(server, 'listening');
  console.log(server.address().port);
}

async function ask(host, port) {
  const socket = connect({ host, port: Number(port), noDelay: true });
  await once(socket, 'connect');
  const times = [];
  for (let time = 0; time < TIMES; time++) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const began = performance.now();
    socket.write('?');
    await once(socket, 'data');
    times.push(performance.now() - began);
  }
  console.log(median(times));
  socket.destroy();
}

if (argv[1] === SELF) await { answer, ask }[argv[2]](...argv.slice(3));
