// Learning from the labelled images alone. Other methods copy it for the parts of the interface that they do not use.
import { z } from 'zod';
import type { Method, MethodState } from './method.js';

export interface SupervisedSettings {
  readonly name: 'supervised';
}

export const supervised = {
  title: 'Supervised',
  settings: z.strictObject({ name: z.literal('supervised') }),
  stepSettings: z.strictObject({}),
  state: z.strictObject({}),
  defaults: { name: 'supervised' },
  reconstructs: false,
  usesPseudoLabels: false,
  augmentation: undefined,
  usesAverage: false,
  withOptions: <S>(settings: S) => settings,
  batch: () => 0,
  predicts: () => false,
  alpha: () => 0,
  begin: () => ({}),
  isRelabelling: () => false,
  propagation: () => undefined,
  relabelled: (_settings: unknown, state: MethodState) => state,
  choose: () => undefined,
  rows: () => undefined,
  statistics: () => 0,
  targets: () => ({ targets: new Uint16Array(), weights: [], statistics: [] }),
  next: (_settings: unknown, _step: number, state: MethodState) => state,
  shortened: <S>(settings: S) => settings,
} satisfies Method<SupervisedSettings>;
