// Owns the heartbeat of a connection: a sign of life at every interval, and the end of one that has been silent for two.
import type { Clock } from '../src/clock.js';

/** Heartbeats that may fail to come before the other side counts as lost. */
const MISSED_HEARTBEATS = 2;

/** Looks at the clock within a heartbeat: the end comes at the second one that is missed, or a tick before, never after it. */
const TICKS = 4;

export interface HeartbeatListener {
  /** A sign of life is due. */
  beat(): void;
  /** Nothing has come for so many milliseconds. */
  silent(milliseconds: number): void;
}

export class Heartbeat {
  private lastHeard: number;
  private cancel: () => void = () => undefined;

  constructor(
    private readonly clock: Clock,
    private readonly listener: HeartbeatListener,
  ) {
    this.lastHeard = clock.now();
  }

  /** interval: in ms, of both sides. */
  start(interval: number): void {
    const { clock, listener } = this;
    const tick = interval / TICKS;
    const silence = MISSED_HEARTBEATS * interval;
    let ticks = 0;
    const look = (due: number): void => {
      this.cancel = clock.after(due - clock.now(), () => {
        const now = clock.now();
        // Who stood still himself has not heard what came meanwhile, and may not have been heard either.
        if (now - due > interval / 2) this.lastHeard = now;
        look(now + tick);
        if (now - this.lastHeard > silence - tick) listener.silent(silence);
        else if (++ticks % TICKS === 0) listener.beat();
      });
    };
    look(clock.now() + tick);
  }

  /** Something came, if only a part of a frame: on a slow network one takes long. */
  heard(): void {
    this.lastHeard = this.clock.now();
  }

  stop(): void {
    this.cancel();
  }
}
