// Brings the rounded copy of the parameters up to date where they did not come from an update, which does so itself.
import type { Arena } from '../../engine/arena.js';
import type { Kernel } from '../../engine/kernel/kernel.js';
import { BYTES, isRounded } from '../../engine/precision.js';

/** Rounds the parameters [start, end) to bf16, for products. Does nothing in an arena without such a copy. */
export function roundParameters({ regions, shape }: Arena, kernel: Kernel, end: number, start = 0): void {
  if (isRounded(shape)) kernel.round(regions.parameters + start * 4, end - start, regions.rounded + start * BYTES.bf16);
}
