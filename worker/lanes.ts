// Owns who uses which lane: at most one task at a time in each, those that wait in order.

export class Lanes {
  private readonly free: number[];
  private readonly waiting: ((lane: number) => void)[] = [];

  constructor(count: number) {
    this.free = Array.from({ length: count }, (_, lane) => lane);
  }

  take(): Promise<number> {
    const lane = this.free.pop();
    if (lane !== undefined) return Promise.resolve(lane);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(lane: number): void {
    const next = this.waiting.shift();
    if (next) next(lane);
    else this.free.push(lane);
  }
}
