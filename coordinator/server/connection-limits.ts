// Owns how many strangers are let in before they have proven anything: at a time, from one address at a time, and from one a second.
import type { Clock } from '../../src/clock.js';

export interface ConnectionLimits {
  /** Connections that have not proven anything yet. */
  readonly unauthenticated: number;
  readonly unauthenticatedPerAddress: number;
  /** New connections from one address within a second. */
  readonly rate: number;
}

const WINDOW_MS = 1000;

export class ConnectionLimiter {
  private unauthenticated = 0;
  private readonly perAddress = new Map<string, number>();
  /** Of the present second; emptied with it, so that many addresses cannot fill the memory. */
  private readonly recent = new Map<string, number>();
  private windowStart = 0;

  constructor(
    private readonly limits: ConnectionLimits,
    private readonly clock: Pick<Clock, 'now'>,
  ) {}

  /** Lets a stranger in and returns what to call, once, when it is none any more: known, or gone. undefined: not let in. */
  enter(address: string): (() => void) | undefined {
    const here = this.perAddress.get(address) ?? 0;
    const tooFast = this.count(address) > this.limits.rate;
    if (tooFast || this.unauthenticated >= this.limits.unauthenticated || here >= this.limits.unauthenticatedPerAddress)
      return undefined;
    this.unauthenticated++;
    this.perAddress.set(address, here + 1);
    let inside = true;
    return () => {
      if (inside) this.leave(address);
      inside = false;
    };
  }

  private leave(address: string): void {
    this.unauthenticated--;
    const here = this.perAddress.get(address)! - 1;
    if (here === 0) this.perAddress.delete(address);
    else this.perAddress.set(address, here);
  }

  private count(address: string): number {
    if (this.clock.now() - this.windowStart >= WINDOW_MS) {
      this.recent.clear();
      this.windowStart = this.clock.now();
    }
    const attempts = (this.recent.get(address) ?? 0) + 1;
    this.recent.set(address, attempts);
    return attempts;
  }
}
