// Owns data-parallel steps over a cluster. In a step:
//
//   nodes   gradients into slots | partial sums, chunk by chunk up          |                | update
//   here    gradients into slots | sum of a chunk when all parts of it came | total of it down to all | update
//
// On a wire that rounds, the total that everybody applies, here too, is the one that was rounded.
//
// Nobody updates before the total is complete here: until then the shards of a node that is lost can be computed again from the same
// parameters, by anyone, with the same bits.

import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import type { ShardStep } from '../../../src/engine/executor.js';
import type { GradientResult, OptimizerStep, UpdateResult } from '../../../src/engine/tasks.js';
import { layoutOf, type Model } from '../../../src/models/model.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { GradientRound } from './gradient-round.js';
import { LocalMember } from './local-member.js';
import type { Members } from './members.js';
import { Reducer } from './reducer.js';
import { checkAlike } from './replica-check.js';
import { type Compute, computeOfDataParallel } from './slowdown-warning.js';

/** Results of the workers here, and what it took those who computed. */
interface Updated {
  readonly results: UpdateResult[];
  readonly compute: Compute;
}

export class ClusterDataParallel {
  private readonly total: Reducer;
  private round: GradientRound | undefined;
  /** Whether this machine takes part in the computing or not. */
  private readonly here: LocalMember;

  /** checksumEvery: steps between two comparisons of the nodes' parameters. */
  constructor(
    private readonly local: ThreadExecutor,
    private readonly members: Members,
    wire: GradientCodec,
    private readonly checksumEvery: number,
  ) {
    this.total = new Reducer(local.arena, wire);
    this.here = new LocalMember(local);
  }

  gradients(steps: readonly ShardStep[]): Promise<GradientResult[]> {
    this.round = new GradientRound((count) => this.members.share(count), this.here);
    return this.round.compute(steps);
  }

  /** step: its number since the run began. */
  async update(model: Model, shards: number, optimizer: OptimizerStep, step: number): Promise<Updated> {
    const { round, local } = this;
    if (!round) throw new Error('an update comes after gradients');
    const { length } = layoutOf(model);
    const { remotes } = this.members;
    const followers = [...remotes].filter((node) => node.isInStep(length));
    // What was sent last came from the memory that is written now.
    await Promise.all([...remotes].map(({ updates }) => updates.sent()));
    await this.total.sumUp({ round, model, shards, step, followers });
    // Those who are there now: one that came while shards were computed again has the state, but not the whole total.
    for (const node of remotes) {
      if (followers.includes(node) && node.isAvailable) node.updates.update(model, optimizer);
      else node.arenaSync.stateChanged(length);
    }
    const summed = performance.now();
    const results = await local.updateByTotal(model, optimizer);
    const compute = computeOfDataParallel(round.parts(), shards, performance.now() - summed);
    if (step % this.checksumEvery === 0) await checkAlike(local.arena, length, followers, step);
    return { results, compute };
  }

  /** Parameters have been overwritten: what rounding has left of earlier sums is of others. */
  forget(): void {
    this.total.forget();
  }
}
