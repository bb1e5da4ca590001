// Distance between hosts of one machine: a TCP relay that holds every byte for some milliseconds each way, with no
// limit to how many are under way (netem is not in every kernel), and what a byte takes to another host and back. As a
// program, the relay or one end of a measurement: node scripts/bench/delay.mjs LISTEN_HOST:PORT TO_HOST:PORT
// MILLISECONDS | answer HOST | ask HOST PORT

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { argv } from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { median } from './measuring.mjs';

const SELF = fileURLToPath(import.meta.url);

/** Milliseconds by which a timer may be late. */
const TIMER_MS = 2;
/** Bytes that are timed for a round trip. */
const TIMES = 100;
/** Between two of them, as between two messages of a step. */
const PAUSE_MS = 4;
/** Wakes up nobody. */
const NOBODY = new Int32Array(new SharedArrayBuffer(4));

/**
 * @param {{listen: {host: string, port?: number}, to: {host: string, port: number}, milliseconds: number}} options
 *   milliseconds: each way, so that a round trip takes twice as long
 * @returns {Promise<DelayingRelay>}
 */
export async function delayingRelay({ listen, to, milliseconds }) {
  const relay = new DelayingRelay(to, milliseconds);
  relay.server.listen({ port: 0, ...listen });
  await once(relay.server, 'listening');
  return relay;
}

export class DelayingRelay {
  /** Bytes that are under way, both ways. */
  held = 0;
  /** @type {Set<import('node:net').Socket>} */
  sockets = new Set();

  /** @param {{host: string, port: number}} to @param {number} milliseconds */
  constructor(to, milliseconds) {
    this.milliseconds = milliseconds;
    this.server = createServer({ noDelay: true, allowHalfOpen: true }, (near) => {
      const far = connect({ ...to, noDelay: true, allowHalfOpen: true });
      this.carry(near, far);
      this.carry(far, near);
    });
  }

  get port() {
    return this.server.address().port;
  }

  close() {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
  }

  /** @param {import('node:net').Socket} from @param {import('node:net').Socket} into */
  carry(from, into) {
    /** What is under way, and at its end perhaps the end. @type {{due: number, chunk: Buffer | undefined}[]} */
    const queue = [];
    let timer;
    const arrive = () => {
      timer = undefined;
      while (queue.length > 0) {
        const left = queue[0].due - performance.now();
        if (left >= TIMER_MS) {
          timer = setTimeout(arrive, left - TIMER_MS);
          return;
        }
        // A timer of Node's is late by a millisecond, so that the last one is waited for by standing still.
        if (left > 0) Atomics.wait(NOBODY, 0, 0, left);
        const { chunk } = queue.shift();
        if (chunk === undefined) into.end();
        else {
          this.held -= chunk.length;
          // Only a reader that does not read stops the one who sends, as without a relay.
          if (!into.write(chunk)) from.pause();
        }
      }
    };
    const depart = (chunk) => {
      this.held += chunk?.length ?? 0;
      queue.push({ due: performance.now() + this.milliseconds, chunk });
      if (timer === undefined) arrive();
    };
    this.sockets.add(from);
    let ended = false;
    from.on('data', depart);
    from.on('end', () => {
      ended = true;
      depart(undefined);
    });
    from.on('error', () => undefined); // 'close' says so as well
    from.on('close', (failed) => {
      this.sockets.delete(from);
      if (failed || !ended) into.destroy();
    });
    into.on('drain', () => from.resume());
    into.on('close', () => {
      clearTimeout(timer);
      for (const { chunk } of queue.splice(0)) this.held -= chunk?.length ?? 0;
    });
  }
}

/**
 * What a byte takes to another host and back, from one program of Node's to another, as nodes and coordinators see it.
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
    const relayed = await said(other, SELF, '127.0.0.1:0', `${one.address}:${port}`, `${delay}`);
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

if (argv[1] === SELF && argv[2] === 'answer') await answer(argv[3]);
else if (argv[1] === SELF && argv[2] === 'ask') await ask(argv[3], argv[4]);
else if (argv[1] === SELF) {
  const parse = (text = '') => {
    const [host, port] = text.split(':');
    return { host, port: Number(port) };
  };
  const relay = await delayingRelay({ listen: parse(argv[2]), to: parse(argv[3]), milliseconds: Number(argv[4]) });
  console.log(relay.port);
}
