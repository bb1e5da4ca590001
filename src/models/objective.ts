// The objectives: what a network computes at its output, and what it is trained for.

/**
 * softmax: with its cross-entropy. sigmoid: independent sigmoids with their cross-entropy (Lee 2013, section "Deep
 * Neural Networks"). reconstruction: sigmoids that reconstruct the clean input (binary cross-entropy, mean over
 * pixels).
 */
export const OBJECTIVES = ['softmax', 'sigmoid', 'reconstruction'] as const;
export type Objective = (typeof OBJECTIVES)[number];
