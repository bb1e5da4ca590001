// Owns the measured speed of a member: what its steps take.

/** The weight of the latest step in the mean: a change shows after some ten steps, an outlier hardly. */
const LATEST = 0.1;
/** Before so many steps a speed is that of a machine that is still building its networks. */
const WARM = 3;
/**
 * Who was slow once is given nothing, and then is never measured again: each step without it, it is thought to be faster by this part, until
 * it is tried. One that is twenty times slower than others is tried every few hundred steps.
 */
const HOPE = 0.005;

export class Speed {
  private steps = 0;
  private mean = 0;

  /** undefined until it means something. */
  get rowsPerMillisecond(): number | undefined {
    return this.steps > WARM ? this.mean : undefined;
  }

  /** It was given nothing to do in a step. */
  rested(): void {
    this.mean *= 1 + HOPE;
  }

  /** rows: of a whole step, or as much work. */
  add(rows: number, milliseconds: number): void {
    if (rows === 0) return;
    this.steps++;
    if (this.steps <= WARM) return;
    const latest = rows / Math.max(milliseconds, 0.01);
    this.mean = this.mean === 0 ? latest : (1 - LATEST) * this.mean + LATEST * latest;
  }
}
