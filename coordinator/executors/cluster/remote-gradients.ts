// Owns what the coordinator and a node on another machine say to each other about gradients: what it is to compute, that sums of all of it
// are waited for, and when its rounding of them begins anew.
import { subtreesOf } from '../../../src/collectives/tree.js';
import type { ShardStep } from '../../../src/engine/executor.js';
import { layoutOf } from '../../../src/models/model.js';
import { toWire } from '../../../src/protocol/fields.js';
import type { ArenaSync } from './arena-sync.js';
import { type Contribution, MemberLost, rowsOfResults } from './member.js';
import { areResultsOf } from './reply-checks.js';
import type { Requests } from './requests.js';
import type { Speed } from './speed.js';
import type { Uploads } from './uploads.js';

export interface NodeOfGradients {
  readonly requests: Requests;
  readonly arenaSync: ArenaSync;
  readonly uploads: Uploads;
  readonly speed: Speed;
  /** Ends the connection for what it sent. */
  readonly lose: (message: string) => MemberLost;
}

export class RemoteGradients {
  /** Of its last sums: those of the same stage go on with what rounding left of them. */
  private lastStage: number | undefined;

  constructor(private readonly node: NodeOfGradients) {}

  async compute(steps: readonly ShardStep[]): Promise<Contribution> {
    const { requests, arenaSync, uploads, speed, lose } = this.node;
    const { model, shards, stage, step: round, unlabelled } = steps[0]!;
    const { length } = layoutOf(model);
    await arenaSync.bringState(length);
    for (const step of steps) await arenaSync.bringShard(step);

    const request = requests.next();
    const subtrees = subtreesOf(new Set(steps.map(({ shard }) => shard)), shards);
    const upload = uploads.begin(request, subtrees, length);
    const work = `gradients of stage ${stage}, ${unlabelled?.pseudoLabels ?? 'labelled'}`;
    const goesOn = this.lastStage === stage;
    const message = { kind: 'gradients', request, round, goesOn, steps: steps.map(toWire) } as const;
    this.lastStage = stage;
    try {
      const { results, milliseconds } = await requests.ask(message, work, rowsOf(steps));
      if (!areResultsOf(results, steps)) throw lose('its results are not those of its shards');
      // As it says: by the clock here it would be what its link takes as well, which is the same for any number of shards.
      speed.add(rowsOfResults(results), milliseconds);
      uploads.expect(upload);
      const lost = () => new MemberLost(requests.name, 'its shards are computed again here');
      return {
        ...{ results, subtrees, arrived: (floats) => upload.arrived(floats) },
        elsewhere: { revoke: () => upload.revoke(lost()), lose },
      };
    } catch (error) {
      this.forgetRounding();
      upload.revoke(error);
      throw error;
    }
  }

  /** Sums that it sent may not have counted, or the next ones are of something else. */
  forgetRounding(): void {
    this.lastStage = undefined;
  }
}

function rowsOf(steps: readonly ShardStep[]): number {
  return steps.reduce((sum, { labelled, unlabelled, shards }) => {
    return sum + (labelled?.labels.length ?? 0) + (unlabelled?.batch ?? 0) / shards;
  }, 0);
}
