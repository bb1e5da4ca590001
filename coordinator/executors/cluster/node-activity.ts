// Owns what a node on another machine is doing now, as far as the coordinator can see it: by what it has asked for and not got yet.
import type { Answer } from '../../../src/protocol/cluster-messages.js';

/**
 * sums: it sends those of the gradients that it has computed; logits: the forward pass of its slices; state: it sends that of its slices. behind: it has not answered in time, and others do its work.
 */
export type NodeActivity =
  | 'gradients'
  | 'sums'
  | 'logits'
  | 'update'
  | 'state'
  | 'labels'
  | 'waiting'
  | 'behind'
  | 'leaving';

export interface NodeNow {
  readonly name: string;
  readonly doing: NodeActivity;
}

const AWAITED: Readonly<Record<Exclude<Answer['kind'], 'failed'>, NodeActivity>> = {
  ready: 'waiting',
  computed: 'gradients',
  updated: 'update',
  predicted: 'labels',
  logits: 'logits',
  collected: 'state',
  digest: 'update',
};

/** awaited: the kind of answer that is due next; isSending: whether sums are still on their way. */
export function activityOf(awaited: Answer['kind'] | undefined, isSending: boolean): NodeActivity {
  if (awaited !== undefined && awaited !== 'failed') return AWAITED[awaited];
  return isSending ? 'sums' : 'waiting';
}
