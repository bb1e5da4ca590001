// Does data-parallel steps on a cluster. In a step:
//
//   nodes   gradients into buffers | partial sums, chunk by chunk up          |                | update
//   here    gradients into buffers | sum of a chunk when all parts of it came | total of it down to all | update
//
// If the gradient codec rounds, all machines apply the rounded total, the coordinator too.
//
// No machine updates before the total is complete here. Until then, any machine can compute the shards of a lost node
// again, from the same parameters and with the same bits.

import { sha256OfParameters } from '../../../src/checksum.js';
import type { GradientCodec } from '../../../src/collectives/gradient-codec.js';
import { floats } from '../../../src/engine/arena.js';
import type { OptimizerStep } from '../../../src/engine/optimizer.js';
import { parameterCount } from '../../../src/models/models.js';
import type { UpdateResult } from '../../../src/models/tasks.js';
import type { ShardStep } from '../../../src/training/executor.js';
import type { ThreadExecutor } from '../../../worker/thread-executor.js';
import { driftError } from '../failures.js';
import { LocalMachine } from './local-machine.js';
import { MachineLost } from './machine.js';
import type { Machines } from './machines.js';
import { GradientRound, Reducer } from './reducer.js';
import type { RemoteNode } from './remote-node.js';
import { type Compute, computeOfDataParallel } from './step-timing.js';

/** The results of the workers here, and the times of the step on the machines that computed it. */
interface Updated {
  readonly results: UpdateResult[];
  readonly compute: Compute;
}

export class ClusterDataParallel {
  private readonly reducer: Reducer;
  /**
   * Computes again what another machine sent and is in doubt, even if this machine takes no other part in the computing.
   */
  private readonly here: LocalMachine;

  /** checksumEvery: steps between two comparisons of the nodes' parameters. */
  constructor(
    private readonly local: ThreadExecutor,
    private readonly machines: Machines,
    codec: GradientCodec,
    private readonly checksumEvery: number,
  ) {
    this.reducer = new Reducer(local.arena, codec);
    this.here = new LocalMachine(local);
  }

  /** Begins a round of gradients that machines compute. */
  round(): GradientRound {
    return new GradientRound((count) => this.machines.share(count), this.here);
  }

  /**
   * Updates the parameters by the gradients of a round, here and at the nodes.
   * @param of the step of any shard
   * @param steps the number of steps of the run so far, including this one
   */
  async update(round: GradientRound, of: ShardStep, optimizer: OptimizerStep, steps: number): Promise<Updated> {
    const { model, shards } = of;
    const length = parameterCount(model);
    const { remotes } = this.machines;
    const followers = [...remotes].filter((node) => node.isInStep(length));
    // The memory that is written now holds what was sent last.
    await Promise.all([...remotes].map((node) => node.sent()));
    await this.reducer.sumUp(round, of, followers);
    // Only nodes that are still available are updated. A node that came while shards were computed again has the state,
    // but not the whole total.
    const updated = followers.filter((node) => node.isAvailable);
    for (const node of remotes) {
      if (updated.includes(node)) node.update(model, optimizer);
      else node.arenaSync.stateChanged(length);
    }
    const summed = performance.now();
    const results = await this.local.updateByTotal(model, optimizer);
    const compute = computeOfDataParallel(round.parts(), shards, performance.now() - summed);
    // A follower that was behind may be back by now. It has not drifted, because it was not told to update.
    if (steps % this.checksumEvery === 0) await this.compareParameters(length, updated, steps);
    return { results, compute };
  }

  /** Forgets the rounding errors of earlier sums, because the parameters have been overwritten. */
  forget(): void {
    this.reducer.forget();
  }

  /**
   * Ends the run if a replica's parameters differ. A node that is lost meanwhile does not count as different. Throws
   * E_DRIFT.
   */
  private async compareParameters(parameterCount: number, nodes: readonly RemoteNode[], steps: number): Promise<void> {
    const expected = sha256OfParameters(floats(this.local.arena, 'parameters', parameterCount));
    const digests = await Promise.all(
      nodes.map(async (node) => {
        if (!node.isAvailable) return expected;
        return node.checksum(parameterCount).catch((error: unknown) => {
          if (error instanceof MachineLost) return expected;
          throw error;
        });
      }),
    );
    const names = nodes.flatMap(({ name }, i) => (digests[i] === expected ? [] : [name]));
    if (names.length > 0) throw driftError(names, 'the coordinator', steps);
  }
}
