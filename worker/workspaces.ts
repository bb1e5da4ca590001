// Owns who uses which lane: at most one task at a time in each, those that wait in order.

export class Workspaces {
  private readonly free: number[];
  private readonly waiting: ((workspace: number) => void)[] = [];

  constructor(count: number) {
    this.free = Array.from({ length: count }, (_, workspace) => workspace);
  }

  take(): Promise<number> {
    const workspace = this.free.pop();
    if (workspace !== undefined) return Promise.resolve(workspace);
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  give(workspace: number): void {
    const next = this.waiting.shift();
    if (next) next(workspace);
    else this.free.push(workspace);
  }
}
