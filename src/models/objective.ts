// What a network computes at its output.

/**
 * What the output computes and is trained for: softmax with its cross-entropy, independent sigmoids with theirs (Lee 2013, section "Deep Neural
 * Networks"), or sigmoids that reconstruct the clean input (binary cross-entropy, mean over pixels).
 */
export const OBJECTIVES = ['softmax', 'sigmoid', 'reconstruction'] as const;
export type Objective = (typeof OBJECTIVES)[number];
