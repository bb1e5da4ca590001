// Owns what the coordinator and a node on another machine say to each other about low-rank factors of its part of a sum. They arrive as a
// whole or not at all.
import { factoringOf, type Side } from '../../src/engine/factors.js';
import type { BulkTag } from '../../src/protocol/channel.js';
import { BULK_KINDS } from '../../src/protocol/messages.js';
import type { FactorHolder, FactorSum } from './factor-holder.js';
import type { MemberLost } from './member.js';
import type { Replica } from './replica.js';
import { type Requests, unexpected } from './requests.js';

/** Factors on their way here. */
interface Arrival {
  readonly request: number;
  readonly side: Side;
  readonly bytes: Uint8Array;
  received: number;
}

export class RemoteFactors implements FactorHolder {
  private arrival: Arrival | undefined;
  private goesOn = false;
  private isCounted = false;

  constructor(
    private readonly requests: Requests,
    private readonly replica: Replica,
    /** Ends the connection for what it sent. */
    private readonly lose: (message: string) => MemberLost,
  ) {}

  async factor(side: Side, sum: FactorSum): Promise<Float32Array> {
    const { requests, replica, goesOn } = this;
    const factoring = factoringOf(sum.model, sum.rank);
    const needed = side === 'left' ? 'right' : 'left';
    await replica.bringFactors(needed, factoring[needed]);
    const request = requests.next();
    const floats = new Float32Array(factoring[side]);
    const arrival = { request, side, bytes: new Uint8Array(floats.buffer), received: 0 };
    this.arrival = arrival;
    this.isCounted = false;
    const message = { kind: 'factor', request, side, goesOn, ...sum } as const;
    await requests.ask({ ...message, shards: [...sum.shards] }, `${side} factors`, floats.length);
    if (arrival.received < arrival.bytes.length) throw this.lose('its factors do not fit the model');
    return floats;
  }

  async counted(): Promise<void> {
    this.isCounted = true;
    // Unless it is told so.
    this.goesOn = false;
  }

  forget(): void {
    this.goesOn = false;
    this.isCounted = false;
  }

  /** Whether its last right factors are in the total that it updates by, of which it is told now. */
  told(): boolean {
    const { isCounted } = this;
    this.goesOn ||= isCounted;
    this.isCounted = false;
    return isCounted;
  }

  /** Throws E_PROTOCOL. A frame that came before, or that nobody waits for any longer, is dropped. */
  frame({ kind, attempt, offset }: BulkTag, payload: Uint8Array): void {
    const { arrival } = this;
    if (!arrival || attempt > arrival.request) throw unexpected('it sent factors that were not asked for');
    if (attempt < arrival.request) return;
    const end = offset + payload.length;
    if (BULK_KINDS[kind] !== arrival.side || offset > arrival.received || end > arrival.bytes.length)
      throw unexpected(`it sent factors of kind ${kind} with ${payload.length} bytes at ${offset}`);
    if (offset < arrival.received) return;
    arrival.bytes.set(payload, offset);
    arrival.received = end;
  }
}
