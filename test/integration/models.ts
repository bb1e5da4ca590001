// Makes saved models for tests, and changes a model.json.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { layoutOf, modelOf } from '../../src/models/dense/model.js';
import { initialParameters } from '../../src/models/models.js';
import type { Objective } from '../../src/models/objective.js';

export const meta = { rows: 3, columns: 4, classes: 3, classNames: ['2', '3', 'x'], data: 'mine' };

/** Makes a model with biases that are not 0. */
export function made(
  objective: Objective,
  widths: readonly number[],
  inputDropout = 0.2,
  dropout: readonly number[] = [0.5],
) {
  const model = modelOf(widths, { inputDropout, dropout, objective });
  const parameters = initialParameters(model, 5, 0);
  layoutOf(model).places.forEach(({ bias }, l) => {
    for (let unit = 0; unit < model.layers[l]!.units; unit++) parameters[bias + unit] = Math.cos(3 * l + unit);
  });
  return { model, parameters };
}

/** Changes the text of the model.json in a folder. */
export async function edit(folder: string, change: (json: string) => string): Promise<void> {
  const path = join(folder, 'model.json');
  const before = await readFile(path, 'utf8');
  expect(change(before)).not.toBe(before);
  await writeFile(path, change(before));
}
