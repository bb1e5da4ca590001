import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Reading, readAccepted } from '../../../worker/reading.js';

async function accepted(): Promise<{ client: Socket; socket: Socket; closed: Promise<unknown> }> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect(port, '127.0.0.1');
  const found = await socket;
  const closed = once(server, 'close');
  server.close(); // it is closed when its last connection is
  return { client, socket: found, closed };
}

describe('an accepted connection', () => {
  it('is read into the same memory again and again', async () => {
    const { client, socket, closed } = await accepted();
    const reading = new Reading();
    const memories = new Set<ArrayBufferLike>();
    let received = Buffer.alloc(0);
    reading.receive = (bytes) => {
      memories.add(bytes.buffer);
      received = Buffer.concat([received, bytes]);
    };
    const wire = readAccepted(socket, reading);
    const sent = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    client.write(sent);
    await expect.poll(() => received.length, { timeout: 5000 }).toBe(sent.length);
    expect(received.equals(sent)).toBe(true);
    expect(memories.size).toBe(1);
    expect(wire.bytesRead).toBe(sent.length);
    expect(wire.remotePort).toBe(client.localPort);

    wire.write('answer');
    expect(String((await once(client, 'data'))[0])).toBe('answer');
    client.end();
    await Promise.all([once(wire, 'close'), closed]); // the server has none left
  });

  it('stops being read while it is paused', async () => {
    const { client, socket } = await accepted();
    const reading = new Reading();
    let received = 0;
    const wire = readAccepted(socket, reading);
    reading.receive = (bytes) => {
      received += bytes.length;
      wire.pause();
    };
    client.write(Buffer.alloc(2 ** 22));
    await expect.poll(() => received).toBeGreaterThan(0);
    const before = received;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(received).toBe(before);
    reading.receive = (bytes) => {
      received += bytes.length;
    };
    wire.resume();
    await expect.poll(() => received, { timeout: 5000 }).toBe(2 ** 22);
    client.destroy();
  });

  it('stays what it was where Node has no such thing, or it is closed', async () => {
    const { client, socket } = await accepted();
    const other = Object.create(socket, { _handle: { value: {} } }) as Socket;
    expect(readAccepted(other, new Reading())).toBe(other);
    socket.destroy();
    expect(readAccepted(socket, new Reading())).toBe(socket);
    client.destroy();
  });
});
