// Owns the balance of the classes among fresh pseudo-labels: the shares that the classifier gives them lately, and the shift of its logits
// that holds them to equal ones (distribution alignment: Berthelot et al. 2020, ReMixMatch, section 3.1). Without it a class that the
// few labels hardly show is given to its neighbours, then learned from them, and lost.

/** Running shares of the classes, in double precision, since every later step depends on their bits. They sum to 1. */
export type ClassShares = readonly number[];

/** A class that has all but vanished is favoured, not forced. */
const LEAST_SHARE = 1e-3;

/** Before any step: equal, as the labelled set has equally many of each class. */
export const equalShares = (classes: number): ClassShares => new Array<number>(classes).fill(1 / classes);

/** To be added to the logits: log(equal share / share), so that p_c becomes proportional to p_c / share_c. */
export function logitShift(shares: ClassShares): Float32Array {
  return Float32Array.from(shares, (share) => -Math.log(shares.length * Math.max(share, LEAST_SHARE)));
}

/**
 * The shares after a step in which the rows' probabilities of each class summed to `masses`.
 * momentum: 0 forgets all before, 0.99 remembers about a hundred steps. A step without fresh pseudo-labels changes nothing.
 */
export function nextShares(shares: ClassShares, masses: readonly number[], momentum: number): ClassShares {
  const total = masses.reduce((sum, mass) => sum + mass, 0);
  if (total === 0) return shares;
  return shares.map((share, c) => momentum * share + ((1 - momentum) * masses[c]!) / total);
}
