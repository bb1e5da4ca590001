// Owns what a person may be told of the nodes of a run.
import type { PseudolabelError } from '../../../src/errors.js';

export interface ClusterListener {
  joined(node: { readonly name: string; readonly workers: number }): void;
  left(node: { readonly name: string }, reason: PseudolabelError): void;
  /** It is left out until it has caught up. */
  fellBehind(node: { readonly name: string }, reason: PseudolabelError): void;
  caughtUp(node: { readonly name: string }): void;
  /** One that wanted to join, by its name or address. */
  refused(name: string, reason: PseudolabelError): void;
  /** So many of the nodes that the run waits for before its first step are there. Said again every few seconds. left: milliseconds. */
  gathering(there: number, wanted: number, left: number): void;
  /** Nobody is there to compute: the run stands still until a node joins. isAgain: it was said a few seconds ago. left: milliseconds. */
  waiting(left: number, isAgain: boolean): void;
  /** Nodes make the run slower: why, and what to do. */
  slower(slowdownWarning: string): void;
}
