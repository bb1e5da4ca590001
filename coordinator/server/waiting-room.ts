// Lets several runs use one server, one after another. A node that connects between two runs waits for the next one.
import type { NodeChannel } from '../executors/cluster/requests.js';
import type { ListeningServer } from './transport.js';

/** The most nodes that wait. Others are closed at once. */
const MOST_WAITING = 64;

export class WaitingRoom {
  private readonly waiting: NodeChannel[] = [];
  /** Wakes the run that waits for a node. */
  private taken: (() => void) | undefined;
  private closed = false;

  constructor(private readonly server: ListeningServer) {
    void this.receive();
  }

  /** Returns the server for one run at a time. Its close() leaves the port open. */
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
