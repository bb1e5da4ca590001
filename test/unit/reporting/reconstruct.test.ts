// Tests the forward pass that reconstructs images for reports.
import { expect, it } from 'vitest';
import { layoutOf, modelOf } from '../../../src/models/dense/model.js';
import { reconstruct } from '../../../src/reporting/image.js';

it('a plain forward pass is ReLU in the hidden layer and a sigmoid at the end, of the parameters as they are laid out', () => {
  const model = modelOf([2, 3, 2], { inputDropout: 0, dropout: [0.5], objective: 'reconstruction' });
  const { places, length } = layoutOf(model);
  const parameters = new Float32Array(length);
  parameters.set([1, 2, -1, 0, 0.5, 0.5], places[0]!.kernel); // units: [1, 2], [-1, 0], [0.5, 0.5]
  parameters.set([0.5, 0, -4], places[0]!.bias);
  parameters.set([1, 7, 0, 0, 0, 3], places[1]!.kernel);
  parameters.set([-1, 2], places[1]!.bias);
  // hidden: 1 + 4 + 0.5 = 5.5, relu(-1) = 0, relu(1.5 - 4) = 0; outputs: 5.5 - 1 = 4.5, 0 + 2 = 2
  const [first, second] = reconstruct(model, parameters, Float32Array.of(1, 2));
  expect(first).toBeCloseTo(1 / (1 + Math.exp(-4.5)), 6);
  expect(second).toBeCloseTo(1 / (1 + Math.exp(-2)), 6);
});
