// Disturbs a soak: nodes behind wires are killed, stalled and joined. Each fault comes at a message of the run that a
// seed has chosen. What the fault meets depends on the machine too.
import type { Stream } from '../../src/random.js';
import { type Coordinator, type Operator, signalling } from '../e2e/cluster.js';
import type { Running } from '../e2e/command.js';
import type { Place, Wire } from '../e2e/wire.js';

/** The delay of what a node sends. It makes a step so long that a fault comes every few steps, not every hundred. */
const LATENCY_MS = 60;
/** The fewest and the most nodes that are there or on their way. */
const FEWEST = 2;
const MOST = 4;

const FAULTS = ['kill', 'stall', 'join'] as const;
type Fault = (typeof FAULTS)[number];

const PLACES: readonly Omit<Place, 'nth'>[] = [
  { to: 'worker', kind: 'gradients' },
  { to: 'coordinator', kind: 'computed' },
  { to: 'coordinator', kind: 'sum' },
  { to: 'worker', kind: 'total' },
  { to: 'worker', kind: 'update' },
  { to: 'coordinator', kind: 'updated' },
  { to: 'worker', kind: 'predict' },
];

interface Player {
  readonly name: string;
  readonly running: Running;
  readonly wire: Wire;
}

export class Chaos {
  readonly counts: Record<Fault, number> = { kill: 0, stall: 0, join: 0 };
  /** The nodes that have joined. */
  private readonly players: Player[] = [];
  private coming = 0;

  constructor(
    private readonly operator: Operator,
    private readonly coordinator: Coordinator,
    private readonly choices: Stream,
  ) {}

  /** Adds a node. It has joined when this resolves, unless the run is over before. */
  async join(): Promise<void> {
    const name = `node-${++this.counts.join}`;
    this.coming++;
    const wire = await this.operator.wireTo(this.coordinator, LATENCY_MS);
    const running = this.operator.worker(wire, name);
    await this.orOver(this.coordinator.says(`${name} joined`));
    this.coming--;
    this.players.push({ name, running, wire });
  }

  /** Causes faults until the run is over. */
  async rage(): Promise<void> {
    let isOver = false;
    void this.coordinator.ended.then(() => {
      isOver = true;
    });
    while (!isOver) {
      const fault = this.choose();
      const victim = this.players[this.choices.below(Math.max(1, this.players.length))];
      if (!victim) await this.join();
      else if (fault === 'join') void this.join();
      else await this.strike(victim, fault);
    }
  }

  private choose(): Fault {
    const fault = FAULTS[this.choices.below(FAULTS.length)]!;
    const size = this.players.length + this.coming;
    if (size < FEWEST) return 'join';
    return fault === 'join' && size >= MOST ? 'stall' : fault;
  }

  private async strike(victim: Player, fault: 'kill' | 'stall'): Promise<void> {
    const { name, running, wire } = victim;
    const place = { ...PLACES[this.choices.below(PLACES.length)]!, nth: 1 + this.choices.below(3) };
    const signal = fault === 'kill' ? 'SIGKILL' : 'SIGSTOP';
    // The node is set aside or gone: always if it was killed, and also if it stalls before its deadline is known.
    let missed: Promise<unknown> | undefined;
    const there = wire.at(place, (passing) => {
      missed = this.again(`${name} did not`, `${name} is gone`);
      return signalling(running, signal)(passing);
    });
    // A node that has no shards now, or no images to label, may wait long for its turn.
    const passed = wire.at({ to: 'worker', kind: 'gradients', nth: 8 });
    await this.orOver(Promise.race([there, passed]));
    wire.forget();
    if (!missed) return;
    this.counts[fault]++;
    if (fault === 'kill') this.players.splice(this.players.indexOf(victim), 1);
    await this.orOver(missed);
    if (fault === 'kill') return;
    const back = this.again(`${name} answers again`, `${name} joined`);
    running.child.kill('SIGCONT');
    await this.orOver(back);
  }

  /** Resolves when the coordinator says one of these texts once more than so far. */
  private again(...texts: readonly string[]): Promise<unknown> {
    const { coordinator } = this;
    return Promise.race(texts.map((text) => coordinator.says(text, coordinator.said().split(text).length)));
  }

  private async orOver(happens: Promise<unknown>): Promise<void> {
    await Promise.race([happens.catch(() => undefined), this.coordinator.ended]);
  }
}
