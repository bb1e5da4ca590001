// Data-parallel steps over a cluster. In a step:
//
//   nodes   gradients into buffers | partial sums, chunk by chunk up          |                | update
//   here    gradients into buffers | sum of a chunk when all parts of it came | total of it down to all | update
//
// Where the gradient codec rounds, the total that everybody applies, here too, is the one that was rounded.
//
// Nobody updates before the total is complete here: until then the shards of a node that is lost can be computed again from the same
// parameters, by anyone, with the same bits.

import { sha256OfParameters } from '../../../src/checksum.js';
import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { floats } from '../../../src/engine/arena.js';
import type { OptimizerStep } from '../../../src/engine/optimizer.js';
import { parameterCount } from '../../../src/models/models.js';
import type { UpdateResult } from '../../../src/models/tasks.js';
import type { ShardStep } from '../../../src/training/executor.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { drifted } from '../failures.js';
import { LocalMember } from './local-member.js';
import { MemberLost } from './member.js';
import type { Members } from './members.js';
import { GradientRound, Reducer } from './reducer.js';
import type { RemoteNode } from './remote-node.js';
import { type Compute, computeOfDataParallel } from './step-timing.js';

/** Results of the workers here, and what the step took those who computed. */
interface Updated {
  readonly results: UpdateResult[];
  readonly compute: Compute;
}

export class ClusterDataParallel {
  private readonly reducer: Reducer;
  /** Computes again what came from elsewhere and is in doubt, whether or not this machine takes part in the computing. */
  private readonly here: LocalMember;

  /** checksumEvery: steps between two comparisons of the nodes' parameters. */
  constructor(
    private readonly local: ThreadExecutor,
    private readonly members: Members,
    codec: GradientCodec,
    private readonly checksumEvery: number,
  ) {
    this.reducer = new Reducer(local.arena, codec);
    this.here = new LocalMember(local);
  }

  /** A round of gradients that members compute. */
  round(): GradientRound {
    return new GradientRound((count) => this.members.share(count), this.here);
  }

  /**
   * Updates the parameters by the gradients of a round, here and at the nodes.
   * of: the step of any shard; steps: so far since the run began, with this one.
   */
  async update(round: GradientRound, of: ShardStep, optimizer: OptimizerStep, steps: number): Promise<Updated> {
    const { model, shards } = of;
    const length = parameterCount(model);
    const { remotes } = this.members;
    const followers = [...remotes].filter((node) => node.isInStep(length));
    // What was sent last came from the memory that is written now.
    await Promise.all([...remotes].map((node) => node.sent()));
    await this.reducer.sumUp(round, of, followers);
    // Those who are there now: one that came while shards were computed again has the state, but not the whole total.
    const updated = followers.filter((node) => node.isAvailable);
    for (const node of remotes) {
      if (updated.includes(node)) node.update(model, optimizer);
      else node.arenaSync.stateChanged(length);
    }
    const summed = performance.now();
    const results = await this.local.updateByTotal(model, optimizer);
    const compute = computeOfDataParallel(round.parts(), shards, performance.now() - summed);
    // A follower that was behind just now may be back: it has not drifted, it was not told to update.
    if (steps % this.checksumEvery === 0) await this.compareParameters(length, updated, steps);
    return { results, compute };
  }

  /** Parameters have been overwritten: what rounding has left of earlier sums is of others. */
  forget(): void {
    this.reducer.forget();
  }

  /** Replicas that drift apart end the run. A node that is lost meanwhile has not drifted. Throws E_DRIFT. */
  private async compareParameters(parameters: number, nodes: readonly RemoteNode[], steps: number): Promise<void> {
    const expected = sha256OfParameters(floats(this.local.arena, 'parameters', parameters));
    const digests = await Promise.all(
      nodes.map(async (node) => {
        if (!node.isAvailable) return expected;
        return node.checksum(parameters).catch((error: unknown) => {
          if (error instanceof MemberLost) return expected;
          throw error;
        });
      }),
    );
    const names = nodes.flatMap(({ name }, i) => (digests[i] === expected ? [] : [name]));
    if (names.length > 0) throw drifted(names, 'the coordinator', steps);
  }
}
