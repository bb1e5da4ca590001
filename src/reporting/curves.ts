// The curves of a run: the measures along its steps, for one run or for several in one chart.
import { ROUNDS, STAGE_NAMES, type StageName as Stage } from '../training/stage.js';
import type { Chart, Line } from './chart.js';
import { type StepValues, stepValues } from './metrics.js';
import type { LabelsRecord, MetricRecord, RunRecord } from './record.js';

interface Measure {
  readonly id: string;
  readonly title: string;
  /** Returns the value, or undefined if a metric does not have it. */
  readonly of: (metric: MetricRecord) => number | undefined;
}

/** Measures that share one chart of a single run. */
interface Group extends Pick<Chart, 'id' | 'title' | 'unit' | 'scale' | 'isZoomed'> {
  readonly measures: readonly Measure[];
  /** Whether a line that is always 1 is left out: all pseudo-labels then count as much as labels do. */
  readonly isPlainAtOne?: boolean;
}

export const STAGE_TITLES: Record<Stage, string> = {
  pretrain: 'Pre-training',
  supervised: 'Supervised training',
  finetune: 'Fine-tuning',
  ...(Object.fromEntries(ROUNDS.map((name, r) => [name, `Round ${r + 1}`])) as Record<(typeof ROUNDS)[number], string>),
};

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Returns the share of the judged pseudo-labels that are right, or undefined if the truth is not known. */
export function shareRight(metric: MetricRecord): number | undefined {
  if (metric.kind !== 'labels' || !metric.truth) return undefined;
  const images = sum(metric.truth.images);
  return images === 0 ? undefined : sum(metric.truth.right) / images;
}

/** Returns a measure of the steps that have it. */
const ofSteps = (id: string, title: string, of: (values: StepValues) => number | undefined): Measure => ({
  id,
  title,
  of: (metric) => (metric.kind === 'step' ? of(stepValues(metric)) : undefined),
});

/** Returns a measure of the pseudo-labels. */
const ofLabels = (id: string, title: string, of: (labels: LabelsRecord) => number | undefined): Measure => ({
  id,
  title,
  of: (metric) => (metric.kind === 'labels' ? of(metric) : undefined),
});

const validation: Measure = {
  id: 'validation',
  title: 'Validation accuracy',
  of: (metric) => (metric.kind === 'validation' ? metric.accuracy : undefined),
};

const GROUPS: readonly Group[] = [
  {
    id: 'loss',
    title: 'loss',
    unit: 'number',
    scale: 'log',
    measures: [
      ofSteps('reconstruction', 'Reconstruction', ({ reconstructionLoss }) => reconstructionLoss),
      ofSteps('labelled', 'Labelled images', ({ labelledLoss }) => labelledLoss),
      ofSteps('pseudo-labelled', 'Pseudo-labelled images', ({ pseudoLabelledLoss }) => pseudoLabelledLoss),
    ],
  },
  {
    id: 'alpha',
    title: 'weight of the pseudo-labels',
    unit: 'number',
    isPlainAtOne: true,
    measures: [ofSteps('alpha', 'alpha(t)', ({ alpha }) => alpha)],
  },
  {
    id: 'counted',
    title: 'share of pseudo-labels that count',
    unit: 'share',
    isPlainAtOne: true,
    measures: [ofSteps('counted', 'Counted', ({ counted }) => counted)],
  },
  { id: 'validation', title: 'accuracy on validation images', unit: 'share', isZoomed: true, measures: [validation] },
  {
    id: 'quality',
    title: 'pseudo-labels',
    unit: 'share',
    measures: [
      ofLabels('right', 'Right', shareRight),
      ofLabels('confidence', 'Mean confidence', ({ meanConfidence }) => meanConfidence),
      ofLabels('flips', 'Changed', ({ step, flips, perClass }) => (step > 0 ? flips / sum(perClass) : undefined)),
    ],
  },
];
const QUALITY = 'quality';

/** Returns the charts of one run: one for each stage and group of measures. */
export function chartsOf(run: RunRecord): { readonly training: readonly Chart[]; readonly quality: readonly Chart[] } {
  const charts = STAGE_NAMES.flatMap((stage) =>
    GROUPS.flatMap((group) =>
      chart(
        stage,
        group,
        group.measures.map((measure) => ({ name: measure.title, points: pointsOf(run, stage, group, measure) })),
      ),
    ),
  );
  const isQuality = ({ id }: Chart): boolean => id.endsWith(QUALITY);
  return { training: charts.filter((each) => !isQuality(each)), quality: charts.filter(isQuality) };
}

/** Returns the charts of several runs: one for each stage and measure, with a line for each run. */
export function comparedCharts(runs: readonly RunRecord[]): Chart[] {
  return STAGE_NAMES.flatMap((stage) =>
    GROUPS.flatMap((group) =>
      group.measures.flatMap((measure) =>
        chart(
          stage,
          { ...group, isPlainAtOne: false, id: measure.id, title: `${group.title}: ${measure.title}` },
          runs.map((run) => ({ name: run.name, points: pointsOf(run, stage, group, measure) })),
        ),
      ),
    ),
  );
}

function pointsOf(run: RunRecord, stage: Stage, { scale }: Group, measure: Measure): Line['points'] {
  return run.metrics.flatMap((metric) => {
    const value = metric.stage === stage ? measure.of(metric) : undefined;
    return value === undefined || (scale === 'log' && value <= 0) ? [] : [[metric.step, value] as const];
  });
}

/** Returns a chart, or none if no line has any points. */
function chart(
  stage: Stage,
  { id, title, isPlainAtOne = false, ...look }: Omit<Group, 'measures'>,
  lines: readonly Line[],
): Chart[] {
  const shown = lines.filter(({ points }) => points.length > 0);
  if (shown.length === 0 || (isPlainAtOne && shown.every(isOne))) return [];
  const named = `${STAGE_TITLES[stage]}: ${title}`;
  return [{ id: `${stage}-${id}`, title: named, x: 'step', lines: shown, ...look }];
}

const isOne = ({ points }: Line): boolean => points.every(([, value]) => value === 1);
