// The four scenarios of the report, the names of runs in tables, and the published figures to compare them with.

import { type MethodName, methodOf } from '../methods/methods.js';

/** The scenarios are the rows of the report's table. */
export const SCENARIOS = ['nn', 'drop', 'pl', 'dae'] as const;
export type Scenario = (typeof SCENARIOS)[number];

export const ROW_NAMES: Record<Scenario, string> = {
  nn: 'NN',
  drop: 'DropNN',
  pl: 'DropNN+PL',
  dae: 'DropNN+PL+DAE',
};

/** The names of runs of the preset modern. */
const MODERN_NAMES: Record<Scenario, string> = {
  nn: 'Supervised',
  drop: 'Supervised, images changed',
  pl: 'Label propagation, modern',
  dae: '',
};

/** Returns the name of a run in tables. */
export const rowName = ({
  scenario,
  method,
  preset,
}: {
  readonly scenario: Scenario;
  readonly method?: MethodName | undefined;
  readonly preset?: string | undefined;
}): string =>
  preset === 'modern'
    ? MODERN_NAMES[scenario]
    : method === undefined
      ? ROW_NAMES[scenario]
      : `${methodOf({ name: method }).title}${scenario === 'dae' ? ' + DAE' : ''}`;

/** The labelled images of each class in the published results. */
const PUBLISHED_LABELS = 10;

/** The published accuracy on the test set, in per cent: Lee 2013, table 1 (100 labels), and the report, section IV. */
export const PUBLISHED: Record<Scenario, { readonly paper: number; readonly report: number }> = {
  nn: { paper: 74.19, report: 70.03 },
  drop: { paper: 78.11, report: 71.2 },
  pl: { paper: 83.85, report: 72.28 },
  dae: { paper: 89.51, report: 76.95 },
};

/** Returns the published figures of a row if a run can be compared with them: on MNIST, with as many labels. */
export function publishedFor(
  scenario: Scenario,
  options: {
    readonly data?: unknown;
    readonly labelsPerClass?: unknown;
    readonly method?: unknown;
    readonly preset?: unknown;
  },
): { readonly paper: number; readonly report: number } | undefined {
  const { data, labelsPerClass = PUBLISHED_LABELS, method, preset } = options;
  return data === undefined && method === undefined && preset !== 'modern' && labelsPerClass === PUBLISHED_LABELS
    ? PUBLISHED[scenario]
    : undefined;
}
