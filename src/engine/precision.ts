// What a network computes at its output, and in which numbers.

/**
 * What the output computes and is trained for: softmax with its cross-entropy, independent sigmoids with theirs (Lee 2013, section "Deep Neural
 * Networks"), or sigmoids that reconstruct the clean input (binary cross-entropy, mean over pixels).
 */
export const OBJECTIVES = ['softmax', 'sigmoid', 'reconstruction'] as const;
export type Objective = (typeof OBJECTIVES)[number];

/**
 * What products read and write: floats, or bfloat16, the upper half of a float, whose products are computed twice as fast where the
 * processor has them. Parameters, moments, losses and the sums within a product are floats always. Emulated products of bfloat16 are for
 * tests: slower than those of floats, on any processor, and not always with the bits of its own products, which may sum in another order.
 */
export const PRECISIONS = ['f32', 'bf16', 'bf16-emulated'] as const;
export type Precision = (typeof PRECISIONS)[number];

export const precisionOf = ({ precision = 'f32' }: { readonly precision?: Precision }): Precision => precision;

/** Whether it is a bfloat16 that products read and write. */
export const isRounded = (of: { readonly precision?: Precision }): boolean => precisionOf(of) !== 'f32';

/** Bytes of an element. */
export const BYTES = { f32: 4, bf16: 2, 'bf16-emulated': 2 } as const satisfies Record<Precision, number>;

/** 64 bytes: TensorFlow reads memory in place only where it is aligned so. */
export const ALIGNMENT = 16;

export const aligned = (floats: number): number => Math.ceil(floats / ALIGNMENT) * ALIGNMENT;
