// Owns the bringing up to date of the rounded copy of the parameters, where they did not come from an update, which keeps it itself.
import type { Arena } from './arena.js';
import type { Kernel } from './kernel/kernel.js';
import { isRounded } from './model.js';

/** Rounds the first `length` parameters to bf16, for products. Does nothing in an arena without such a copy. */
export function roundParameters({ regions, shape }: Arena, kernel: Kernel, length: number): void {
  if (isRounded(shape)) kernel.round(regions.parameters, length, regions.rounded);
}
