// Owns what the coordinator and a node on another machine say to each other about the update that all make alike: the total that it is made
// by, when that is complete, and whether all came to the same parameters.

import type { OptimizerStep } from '../../../src/engine/tasks.js';
import type { Model } from '../../../src/models/model.js';
import type { ArenaSync } from './arena-sync.js';
import type { Requests } from './requests.js';

export class RemoteUpdates {
  /** Whether it may still be at one. */
  isOpen = false;

  constructor(
    private readonly requests: Requests,
    private readonly arenaSync: ArenaSync,
  ) {}

  /** Sends a part of the total, behind so many bytes that were sent before. It must not change before sent() resolves. */
  sendTotal(step: number, offset: number, payload: Uint8Array): void {
    // Whether it got there shows when it is needed next.
    this.arenaSync.sendTotal(step, offset, payload).catch(() => undefined);
  }

  /** Resolves when all that was to be sent has been sent, or the node is lost. */
  sent(): Promise<void> {
    return this.requests.sent();
  }

  /** Has it update its parameters by the total that it was sent. Nobody waits for it: the next request is done after it. */
  update(model: Model, optimizer: OptimizerStep): void {
    const message = { kind: 'update', request: this.requests.next(), model, optimizer } as const;
    this.isOpen = true;
    const updated = () => {
      this.isOpen = false;
    };
    this.requests.ask(message, 'update', 1).then(updated, updated); // or behind, or lost
  }

  /** Hex SHA-256 of its parameters. */
  async checksum(parameters: number): Promise<string> {
    const message = { kind: 'checksum', request: this.requests.next(), parameters } as const;
    return (await this.requests.ask(message, 'checksum', 1)).sha256;
  }
}
