// Owns waits until something holds, each with its deadline. They look again whenever something has changed.
import type { Clock } from '../../../src/clock.js';
import { stallTimer } from './stall-timer.js';

/** Less than five seconds: what is silent for longer looks as if it hung. */
const SAY_AGAIN_MS = 4000;

export class Condition {
  private checks: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /**
   * Resolves to whether it holds, as soon as it does, or after so many milliseconds.
   * @param say is called at once where it does not hold, and again every few seconds, with the milliseconds that are left: whoever waits
   * is not silent
   */
  async until(
    holds: () => boolean,
    milliseconds: number,
    say: (left: number) => void = () => undefined,
  ): Promise<boolean> {
    if (holds()) return true;
    const due = this.clock.now() + milliseconds;
    let silence = () => {};
    const tell = (): void => {
      say(Math.max(0, due - this.clock.now()));
      silence = this.clock.after(SAY_AGAIN_MS, tell);
    };
    tell();
    try {
      return await this.held(holds, milliseconds);
    } finally {
      silence();
    }
  }

  private held(holds: () => boolean, milliseconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return this.checks.push(check);
        cancel();
        return resolve(true);
      };
      const cancel = stallTimer(this.clock, milliseconds, () => {
        this.checks = this.checks.filter((other) => other !== check);
        resolve(holds());
      });
      this.checks.push(check);
    });
  }

  changed(): void {
    for (const check of this.checks.splice(0)) check();
  }
}
