// A server that several runs have one after another: who connects between two runs waits for the next.
import type { NodeChannel } from '../executors/cluster/requests.js';
import type { ListeningServer } from './transport.js';

/** More are closed at once: nobody waits for so many. */
const MOST_WAITING = 64;

export class WaitingRoom {
  private readonly waiting: NodeChannel[] = [];
  /** Of the run that is on. */
  private taken: (() => void) | undefined;
  private closed = false;

  constructor(private readonly server: ListeningServer) {
    void this.receive();
  }

  /** The server of one run, whose close() leaves the port open. One at a time. */
  enter(): ListeningServer {
    let isOver = false;
    const arrivals = async function* (this: WaitingRoom): AsyncGenerator<NodeChannel> {
      while (!isOver && !this.closed) {
        const channel = this.waiting.shift();
        if (channel) yield channel;
        else
          await new Promise<void>((resolve) => {
            this.taken = resolve;
          });
      }
    }.call(this);
    const close = (): void => {
      isOver = true;
      this.taken?.();
    };
    return { ...this.server, arrivals, close };
  }

  close(): void {
    this.closed = true;
    this.server.close();
    for (const channel of this.waiting.splice(0)) channel.close();
    this.taken?.();
  }

  private async receive(): Promise<void> {
    for await (const channel of this.server.arrivals) {
      if (this.closed || this.waiting.length >= MOST_WAITING) channel.close();
      else this.waiting.push(channel);
      this.taken?.();
    }
  }
}
