// Makes a clock that only moves when a test moves it, so that tests of deadlines do not depend on the machine's speed.
import type { Clock } from '../src/clock.js';

interface Timer {
  readonly due: number;
  readonly call: () => void;
}

export class ManualClock implements Clock {
  private time = 0;
  private timers: Timer[] = [];

  now(): number {
    return this.time;
  }

  after(milliseconds: number, call: () => void): () => void {
    const timer = { due: this.time + milliseconds, call };
    this.timers.push(timer);
    return () => {
      this.timers = this.timers.filter((other) => other !== timer);
    };
  }

  /** Lets this time pass. Each timer rings when it is due. */
  advance(milliseconds: number): void {
    const end = this.time + milliseconds;
    for (let next = this.next(end); next; next = this.next(end)) {
      this.time = next.due;
      this.ring(next);
    }
    this.time = end;
  }

  /** Suspends the process for this time. What was due in the meantime rings afterwards, too late. */
  standStill(milliseconds: number): void {
    this.time += milliseconds;
    for (const late of this.timers.filter(({ due }) => due <= this.time))
      if (this.timers.includes(late)) this.ring(late);
  }

  private next(end: number): Timer | undefined {
    return this.timers.filter(({ due }) => due <= end).toSorted((a, b) => a.due - b.due)[0];
  }

  private ring(timer: Timer): void {
    this.timers = this.timers.filter((other) => other !== timer);
    timer.call();
  }
}
