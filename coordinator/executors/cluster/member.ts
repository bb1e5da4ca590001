// Members of a cluster: what the coordinator asks of those who compute, its own threads and nodes alike; how fast each is; and the sharing
// of work among them, which goes on when some are lost.
import type { Subtree } from '../../../src/collectives/tree.js';
import type { Model } from '../../../src/models/model.js';
import type { GradientResult, PredictResult, PredictTask } from '../../../src/models/tasks.js';
import type { Logits, TensorResult, TensorShardRange, TensorStep } from '../../../src/models/tensor-tasks.js';
import type { Executor, Ranges, ShardStep } from '../../../src/training/executor.js';
import { shardCountOf, type TensorCut } from '../tensor-cut.js';
import type { DoneStep } from './replay-log.js';

export interface Member {
  readonly workers: number;
  /** Rows of training steps by milliseconds; undefined before it is measured. */
  readonly speed: number | undefined;
  readonly tensorShards: TensorShardOwner;
  /** It is given nothing to do this time. */
  passedOver(): void;
  gradients(steps: readonly ShardStep[]): Promise<Contribution>;
  readonly graph: GraphMember;
  predict(model: Model, set: PredictTask['set'], ranges: Ranges): Promise<PredictResult[]>;
}

/** What a member does for a graph of images. */
export type GraphMember = Pick<Executor, 'describe' | 'neighbours'>;

/** A member's part of a data-parallel step. */
export interface Contribution {
  readonly results: readonly GradientResult[];
  /** Sums that arrive in gradient buffers here, each in that of its first shard. Shards in none are in buffers of their own. */
  readonly subtrees: readonly Subtree[];
  /** Resolves when the first so many floats of each sum are there; rejects with MemberLost. */
  arrived(length: number): Promise<void>;
  /** Where it is a node's. */
  readonly elsewhere?: Elsewhere;
}

export interface Elsewhere {
  /** What is still on its way is not taken any more: others compute the same shards. */
  revoke(): void;
  /** Sends the node away for what it sent. */
  lose(message: string): MemberLost;
}

/** A member as the owner of tensor shards. All but release() and lose() reject with MemberLost where it is a node. */
export interface TensorShardOwner {
  /** Whether its state is in the arena here. */
  readonly isHere: boolean;
  /** Whether it wants to go as soon as its state is here. */
  readonly isLeaving: boolean;
  /** Makes the state of these tensor shards there what it is here. */
  take(cut: TensorCut, range: TensorShardRange): Promise<void>;
  /** Does steps again that are done, by what came down in them. */
  replay(steps: readonly DoneStep[], range: TensorShardRange): Promise<void>;
  forward(step: TensorStep, range: TensorShardRange): Promise<MemberPass>;
  /** Makes the state of these tensor shards here what it is there. */
  give(cut: TensorCut, range: TensorShardRange): Promise<void>;
  /** It has no tensor shards any longer. */
  release(): void;
  /** Sends the node away for what it sent. */
  lose(why: string): void;
}

/** A pass of a tensor-parallel step over a member's tensor shards. */
export interface MemberPass {
  /** The sum of each subtree of shards that its range is made of. */
  readonly sums: readonly Logits[];
  /** The next pass of the step, for which these values have come. */
  onward(values: Float32Array): Promise<MemberPass>;
  /** Takes the values after the last pass. Resolves when the shards are updated. Results: of workers here. */
  backward(values: Float32Array): Promise<readonly TensorResult[]>;
}

/** What was asked of a member has to be done by others. The run is none the worse for it. */
export class MemberLost extends Error {
  override readonly name = 'MemberLost';

  constructor(member: string, cause: unknown) {
    super(`${member} was lost: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

/** The weight of the latest step in the mean: a change shows after some ten steps, an outlier hardly. */
const LATEST = 0.1;
/** Before so many steps a speed is that of a machine that is still building its networks. */
const WARM = 3;
/**
 * A member that was slow once is given nothing, and then is never measured again. So each step without it, it is thought to be faster by this
 * part, until it is tried. One that is twenty times slower than others is tried every few hundred steps.
 */
const HOPE = 0.005;

/** The measured speed of a member. */
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

export const rowsOfResults = (results: readonly { readonly rows: number }[]): number =>
  results.reduce((sum, { rows }) => sum + rows, 0);

export function rowsOfSteps(steps: readonly ShardStep[]): number {
  return steps.reduce((sum, { labelled, unlabelled, shards }) => {
    return sum + (labelled?.labels.length ?? 0) + (unlabelled?.batch ?? 0) / shards;
  }, 0);
}

/** The work of some tensor shards in a step: rows of the whole model that would cost as much. */
export function workOf(step: TensorStep, { first, end }: TensorShardRange, pixels: number): number {
  const rows = step.labelledImages.length / pixels + step.unlabelledBatch;
  return (rows * (end - first)) / shardCountOf(step);
}

/** A member and the positions of its items. */
export type Part = readonly [Member, readonly number[]];

/**
 * Has each item done by a member; those of members that are lost by others. Other errors are thrown when all have ended.
 * @param share says who does so many items. It throws where nobody is there to do any.
 */
export async function spread<T, R>(
  items: readonly T[],
  share: (count: number) => Promise<readonly Part[]>,
  work: (member: Member, items: readonly T[]) => Promise<readonly R[]>,
): Promise<R[]> {
  const results: R[] = [];
  let open = items.map((_, position) => position);
  while (open.length > 0) {
    const parts = (await share(open.length)).map(([member, of]) => [member, of.map((i) => open[i]!)] as const);
    const doPart = ([member, positions]: Part) =>
      work(
        member,
        positions.map((position) => items[position]!),
      );
    const settled = await Promise.allSettled(parts.map(doPart));
    open = settled.flatMap((outcome, p) => {
      const positions = parts[p]![1];
      if (outcome.status === 'rejected') {
        if (outcome.reason instanceof MemberLost) return positions;
        throw outcome.reason;
      }
      positions.forEach((position, i) => {
        results[position] = outcome.value[i]!;
      });
      return [];
    });
  }
  return results;
}
