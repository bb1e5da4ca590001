// Owns which kind of answer each request of a coordinator has.
import type { Answer, ToNode } from './cluster-messages.js';

export const ANSWERS = {
  welcome: 'ready',
  gradients: 'computed',
  update: 'updated',
  predict: 'predicted',
  forward: 'logits',
  onward: 'logits',
  backward: 'updated',
  replay: 'updated',
  collect: 'collected',
  checksum: 'digest',
} as const satisfies Partial<Record<ToNode['kind'], Answer['kind']>>;

/** A message that is answered. */
export type Request = Extract<ToNode, { kind: keyof typeof ANSWERS }>;

/** `failed` is an answer to every request. */
export type AnswerTo<R extends Request> = Extract<Answer, { kind: (typeof ANSWERS)[R['kind']] }>;
