// Sets the deadlines of nodes: how long to wait for a node, from the times that the same kind of work took before, and
// a margin. Timers leave out the time in which this process was suspended.
import { type Clock, SYSTEM_CLOCK } from '../../../src/clock.js';
import { median } from '../../../src/scaling/bootstrap.js';

/** Limits of every wait, in milliseconds. `least` allows for machines that pause. */
export interface Bounds {
  readonly least: number;
  readonly most: number;
}

export const BOUNDS: Bounds = { least: 3_000, most: 60_000 };

/** The number of latest times that are kept of each kind of work. The last minutes say more than the whole run. */
const REMEMBERED = 32;
/** With fewer times than this, the deadline is `most`, because a first step builds its networks. */
const KNOWN = 4;
/**
 * The margin, in deviations above the median. Times of a healthy machine have long tails, and a needless recomputation
 * costs a step.
 */
const MARGIN = 8;
/** The standard deviation of a normal distribution, in median absolute deviations. */
const DEVIATION = 1.4826;

/** Holds the deadlines of one node. */
export class Deadlines {
  private readonly times = new Map<string, number[]>();

  constructor(
    private readonly bounds: Bounds = BOUNDS,
    readonly clock: Clock = SYSTEM_CLOCK,
  ) {}

  /**
   * Calls `ring` when this number of units of this kind of work takes too long. Returns a function that cancels the
   * timer.
   */
  stallTimer(kind: string, units: number, ring: () => void): () => void {
    return stallTimer(this.clock, this.limit(kind, units), ring);
  }

  /**
   * Records a time. kind: the kind of work; times of one kind say nothing of another. units: the work done, such as
   * rows or bytes, at least 1.
   */
  record(kind: string, units: number, milliseconds: number): void {
    const times = [...(this.times.get(kind) ?? []), milliseconds / Math.max(1, units)];
    this.times.set(kind, times.slice(-REMEMBERED));
  }

  /** Returns the median of the milliseconds that a unit of this kind of work takes, or undefined before the first. */
  typical(kind: string): number | undefined {
    const times = this.times.get(kind);
    return times && median(times);
  }

  /** Returns the milliseconds to wait for this number of units of work. */
  limit(kind: string, units: number): number {
    const { least, most } = this.bounds;
    const times = this.times.get(kind) ?? [];
    if (times.length < KNOWN) return most;
    const middle = median(times);
    const deviation = DEVIATION * median(times.map((time) => Math.abs(time - middle)));
    return Math.min(most, Math.max(least, Math.max(1, units) * (middle + MARGIN * deviation)));
  }
}

/** If a timer rings this much too late, the process was suspended, and so were the answers that it waits for. */
const HELD_UP_MS = 100;

/**
 * Calls `ring` after this time, not counting the time in which this process itself was suspended. Returns a function
 * that cancels the timer.
 */
export function stallTimer(clock: Clock, milliseconds: number, ring: () => void): () => void {
  const due = clock.now() + milliseconds;
  let immediate: NodeJS.Immediate | undefined;
  // Messages that have arrived meanwhile are delivered between a timer and an immediate.
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

/** Less than five seconds, because a program that prints nothing for longer looks as if it hung. */
const SAY_AGAIN_MS = 4000;

/** Something that others wait for. They check it again whenever it has changed. */
export class Condition {
  private waits: {
    readonly holds: () => boolean;
    readonly resolve: () => void;
    readonly reject: (reason: unknown) => void;
  }[] = [];

  /** Resolves as soon as the condition holds. Rejects with the reason of fail(). */
  met(holds: () => boolean): Promise<void> {
    if (holds()) return Promise.resolve();
    return new Promise((resolve, reject) => this.waits.push({ holds, resolve, reject }));
  }

  /**
   * Resolves to true as soon as the condition holds, or to whether it holds when the time is over.
   * @param say is called at once if the condition does not hold, and again every few seconds, with the milliseconds
   * that are left
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

  /** Ends all waits, which reject with this reason. */
  fail(reason: unknown): void {
    for (const { reject } of this.waits.splice(0)) reject(reason);
  }
}
