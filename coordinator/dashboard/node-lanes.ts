// Owns what each node of the run has been doing lately, from looks at them a few times a second: the coordinator sees no more of them.
import type { NodeNow } from '../executors/cluster/node-activity.js';
import type { NodeNews } from './messages.js';

const WINDOW_MS = 2000;
/** Those that are gone are shown until so many others are. */
const MOST_GONE = 16;

export class NodeLanes {
  private looks: { readonly at: number; readonly nodes: readonly NodeNow[] }[] = [];
  private gone: string[] = [];

  /** nodes: those that are there now. */
  constructor(private readonly nodes: () => readonly NodeNow[]) {}

  look(at: number): void {
    this.looks.push({ at, nodes: this.nodes() });
    this.looks = this.looks.filter((look) => look.at > at - WINDOW_MS);
  }

  joined(name: string): void {
    this.gone = this.gone.filter((each) => each !== name);
  }

  left(name: string): void {
    this.gone = [...this.gone, name].slice(-MOST_GONE);
  }

  /** By name; shares are those of the looks since it came, at most of the last two seconds. */
  news(): NodeNews[] {
    const now = this.nodes().map(({ name, doing }) => ({ name, doing, shares: this.shares(name) }));
    const gone = this.gone.map((name) => ({ name, doing: 'gone' as const, shares: [] }));
    return [...now, ...gone].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  private shares(name: string): NodeNews['shares'] {
    const seen = this.looks.flatMap(({ nodes }) => nodes.filter((node) => node.name === name));
    const counts = new Map<string, number>();
    for (const { doing } of seen) counts.set(doing, (counts.get(doing) ?? 0) + 1);
    return [...counts].map(([doing, count]) => [doing, count / seen.length]);
  }
}
