// Stands between a worker and its coordinator on real sockets and reads each frame that passes. So a test can do
// something at the nth message of a kind, on a machine of any speed. It works for plain WebSockets, whose masks are
// zero here.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { BULK_KINDS } from '../../src/protocol/cluster-messages.js';
import { parseAddress } from '../../worker/address.js';

/** A frame of the protocol, as it was sent. */
export interface Passing {
  readonly to: 'worker' | 'coordinator';
  /** The kind of the message, or of the long array. */
  readonly kind: string;
  readonly head: Buffer;
  readonly body: Buffer;
}

/** A place in the traffic: the nth frame of a kind, of those that pass from now on. */
export interface Place {
  readonly to: Passing['to'];
  readonly kind: string;
  readonly nth: number;
}

/** Returns what is passed on instead of a frame. */
export type Change = (passing: Passing) => Buffer;

export const unchanged: Change = ({ head, body }) => Buffer.concat([head, body]);

export class Wire {
  private readonly sockets = new Set<Socket>();
  private readonly taps = new Set<(passing: Passing) => Change | undefined>();

  private constructor(
    private readonly server: Server,
    private readonly latency: number,
  ) {}

  /**
   * Opens a wire.
   * @param coordinator its address, as its join line says
   * @param latency delay of what passes to the coordinator, in ms
   */
  static async to(coordinator: string, latency = 0): Promise<Wire> {
    const { host, port } = parseAddress(coordinator);
    const server = createServer();
    const wire = new Wire(server, latency);
    server.on('connection', (near) => {
      const far = connect({ host, port, noDelay: true });
      wire.pass(near, far, 'coordinator');
      wire.pass(far, near, 'worker');
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return wire;
  }

  /** The address that a worker connects to. */
  get address(): string {
    return `ws://127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  /**
   * Resolves when the frame at the place has been passed on. `change` is called when it is there, and says what is
   * passed on.
   */
  at({ to, kind, nth }: Place, change: Change = unchanged): Promise<void> {
    return new Promise((resolve) => {
      let seen = 0;
      const tap = (passing: Passing): Change | undefined => {
        if (passing.to !== to || passing.kind !== kind || ++seen < nth) return undefined;
        this.taps.delete(tap);
        resolve();
        return change;
      };
      this.taps.add(tap);
    });
  }

  /** Forgets what was to be done at places that have not been reached. */
  forget(): void {
    this.taps.clear();
  }

  /** Ends all connections, after what has been passed on. */
  cut(): void {
    for (const socket of this.sockets) socket.destroySoon();
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private pass(from: Socket, into: Socket, to: Passing['to']): void {
    this.sockets.add(from);
    const reader = new Fragments();
    let head: Fragment | undefined;
    from.on('error', () => undefined);
    from.on('close', () => {
      this.sockets.delete(from);
      into.destroySoon();
    });
    into.on('drain', () => from.resume());
    const write = (bytes: Buffer) => {
      if (this.latency > 0 && to === 'coordinator') setTimeout(() => into.write(bytes), this.latency);
      else if (!into.write(bytes)) from.pause();
    };
    from.on('data', (chunk: Buffer) => {
      for (const fragment of reader.read(chunk)) {
        if (fragment.isControl) write(fragment.bytes);
        else if (!head) head = fragment;
        else {
          const passing = { to, kind: kindOf(head.payload), head: head.bytes, body: fragment.bytes };
          head = undefined;
          const changes = [...this.taps].flatMap((tap) => tap(passing) ?? []);
          write((changes[0] ?? unchanged)(passing));
        }
      }
    });
  }
}

/** Returns the kind of a frame (docs/protocol.md). */
function kindOf(head: Buffer): string {
  const isMessage = head[0] === 1;
  return isMessage ? head.toString('latin1', 8) : BULK_KINDS[head.readUInt16LE(2)]!;
}

interface Fragment {
  readonly bytes: Buffer;
  readonly payload: Buffer;
  /** True for what is not a part of a message: HTTP, a ping, a close. */
  readonly isControl: boolean;
}

const END_OF_HTTP = '\r\n\r\n';

/** Splits one direction of a connection into fragments of WebSocket messages (RFC 6455, section 5.2). */
class Fragments {
  private rest: Buffer = Buffer.alloc(0);
  private isUpgraded = false;

  *read(chunk: Buffer): Generator<Fragment> {
    this.rest = Buffer.concat([this.rest, chunk]);
    for (let fragment = this.next(); fragment; fragment = this.next()) yield fragment;
  }

  private next(): Fragment | undefined {
    const { rest } = this;
    if (!this.isUpgraded) {
      const end = rest.indexOf(END_OF_HTTP);
      this.isUpgraded = end >= 0;
      return this.isUpgraded ? this.take(0, end + END_OF_HTTP.length, true) : undefined;
    }
    if (rest.length < 2) return undefined;
    const short = rest[1]! & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (rest.length < 2 + lengthBytes) return undefined;
    const length = lengthBytes === 0 ? short : rest.readUIntBE(lengthBytes === 8 ? 4 : 2, lengthBytes === 8 ? 6 : 2);
    const start = 2 + lengthBytes + (rest[1]! & 0x80 ? 4 : 0);
    return rest.length < start + length ? undefined : this.take(start, start + length, (rest[0]! & 0x08) !== 0);
  }

  private take(start: number, end: number, isControl: boolean): Fragment {
    const bytes = this.rest.subarray(0, end);
    this.rest = this.rest.subarray(end);
    return { bytes, payload: bytes.subarray(start), isControl };
  }
}
