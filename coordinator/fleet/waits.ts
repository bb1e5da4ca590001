// Owns waits until something holds, each with its deadline. They look again whenever something has changed.
import type { Clock } from '../../src/clock.js';
import { alarm } from './alarm.js';

export class Waits {
  private checks: (() => void)[] = [];

  constructor(private readonly clock: Clock) {}

  /** Resolves to whether it holds, as soon as it does, or after so many milliseconds. */
  until(holds: () => boolean, milliseconds: number): Promise<boolean> {
    if (holds()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const check = () => {
        if (!holds()) return this.checks.push(check);
        cancel();
        return resolve(true);
      };
      const cancel = alarm(this.clock, milliseconds, () => {
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
