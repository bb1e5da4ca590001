// Returns the models of stages as the dense networks that they are, for tests.
import type { DenseModel } from '../src/models/dense/model.js';
import type { Model } from '../src/models/model.js';
import { denseOnly } from '../src/models/models.js';

export const denseOf = (model: Model): DenseModel => denseOnly(model, 'tested');
