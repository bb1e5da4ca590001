// Deadlines of nodes: how long to wait for one (what the same kind of work took it before, and a margin), timers that leave out time in
// which this process stood still, and conditions that are waited for.
import { type Clock, SYSTEM_CLOCK } from '../../../src/clock.js';
import { median } from '../../../src/scaling/bootstrap.js';

/** Milliseconds: no wait is shorter than `least`, since machines pause, nor longer than `most`. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export const BOUNDS: Bounds = { least: 3_000, most: 60_000 };

/** Times remembered of each kind of work: the last minutes say more than the whole run. */
const REMEMBERED = 32;
/** Before so many times are known, the deadline is `most`: a first step builds its networks. */
const KNOWN = 4;
/** Deviations beyond the median. Times of a healthy machine have long tails, and recomputing for nothing costs a step. */
const MARGIN = 8;
/** The standard deviation of a normal distribution, in median absolute deviations. */
const DEVIATION = 1.4826;

/** The deadlines of one node. */
export class Deadlines {
  private readonly times = new Map<string, number[]>();

  constructor(
    private readonly bounds: Bounds = BOUNDS,
    readonly clock: Clock = SYSTEM_CLOCK,
  ) {}

  /** Calls `ring` when so many units of this kind of work have taken too long. Returns what cancels that. */
  stallTimer(kind: string, units: number, ring: () => void): () => void {
    return stallTimer(this.clock, this.limit(kind, units), ring);
  }

  /** kind: of work; times of one kind say nothing of another. units: of work done, as rows or bytes, at least 1. */
  record(kind: string, units: number, milliseconds: number): void {
    const times = [...(this.times.get(kind) ?? []), milliseconds / Math.max(1, units)];
    this.times.set(kind, times.slice(-REMEMBERED));
  }

  /** The median of the milliseconds that a unit of this kind of work takes; undefined before the first. */
  typical(kind: string): number | undefined {
    const times = this.times.get(kind);
    return times && median(times);
  }

  /** Milliseconds to wait for so many units of work. */
  limit(kind: string, units: number): number {
    const { least, most } = this.bounds;
    const times = this.times.get(kind) ?? [];
    if (times.length < KNOWN) return most;
    const middle = median(times);
    const deviation = DEVIATION * median(times.map((time) => Math.abs(time - middle)));
    return Math.min(most, Math.max(least, Math.max(1, units) * (middle + MARGIN * deviation)));
  }
}

/** A timer that rings so much too late was held up, and so were the answers that it waits for. */
const HELD_UP_MS = 100;

/**
 * Calls `ring` after so many milliseconds, not counting time in which this process itself stood still. Returns what cancels it.
 */
export function stallTimer(clock: Clock, milliseconds: number, ring: () => void): () => void {
  const due = clock.now() + milliseconds;
  let immediate: NodeJS.Immediate | undefined;
  // What has arrived meanwhile is delivered between a timer and an immediate.
  const soon = () => {
    immediate = setImmediate(ring);
  };
  let cancel = clock.after(milliseconds, () => {
    const delay = clock.now() - due;
    if (delay < HELD_UP_MS) soon();
    else cancel = clock.after(Math.min(delay, milliseconds), soon);
  });
  return () => {
    cancel();
    if (immediate) clearImmediate(immediate);
  };
}

/** Less than five seconds: what is silent for longer looks as if it hung. */
const SAY_AGAIN_MS = 4000;

/** Something that others wait for. They look again whenever it has changed. */
export class Condition {
  private waits: {
    readonly holds: () => boolean;
    readonly resolve: () => void;
    readonly reject: (reason: unknown) => void;
  }[] = [];

  /** Resolves as soon as it holds. Rejects with the reason of fail(). */
  met(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => this.waits.push({ holds, resolve, reject }));
  }

  /**
   * Resolves to whether it holds, as soon as it does, or after so many milliseconds.
   * @param say is called at once where it does not hold, and again every few seconds, with the milliseconds that are left
   */
  async metWithin(
    milliseconds: number,
    holds: () => boolean,
    clock: Clock,
    say: (left: number) => void,
  ): Promise<boolean> {
    if (holds()) return true;
    const due = clock.now() + milliseconds;
    let silence = () => {};
    const tell = (): void => {
      say(Math.max(0, due - clock.now()));
      silence = clock.after(SAY_AGAIN_MS, tell);
    };
    tell();
    let cancel = () => {};
    const late = new Promise<boolean>((resolve) => {
      cancel = stallTimer(clock, milliseconds, () => resolve(holds()));
    });
    const isMet = this.met(holds).then(() => true);
    return Promise.race([isMet, late]).finally(() => {
      cancel();
      silence();
    });
  }

  changed(): void {
    this.waits = this.waits.filter(({ holds, resolve }) => {
      if (!holds()) return true;
      resolve();
      return false;
    });
  }

  /** Nobody needs to wait any longer. */
  fail(reason: unknown): void {
    for (const { reject } of this.waits.splice(0)) reject(reason);
  }
}
