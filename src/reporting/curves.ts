// Owns which curves a run has: what is measured along its steps, of one run or of several over each other.
import type { Chart, Line } from './chart.js';
import type { MetricRecord, RunRecord } from './record.js';

type Stage = MetricRecord['stage'];

interface Measure {
  readonly id: string;
  readonly title: string;
  /** undefined where a metric says nothing of it. */
  of(metric: MetricRecord): number | undefined;
}

/** Measures that one chart of a single run has room for. */
interface Group extends Pick<Chart, 'id' | 'title' | 'unit' | 'scale'> {
  readonly measures: readonly Measure[];
}

export const STAGE_TITLES: Record<Stage, string> = {
  pretrain: 'Pre-training',
  supervised: 'Supervised training',
  finetune: 'Fine-tuning',
};
const STAGES: readonly Stage[] = ['pretrain', 'supervised', 'finetune'];

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** Share of the judged pseudo-labels that are right; undefined where the truth is not known. */
export function shareRight(metric: MetricRecord): number | undefined {
  if (metric.kind !== 'labels' || !metric.truth) return undefined;
  const images = sum(metric.truth.images);
  return images === 0 ? undefined : sum(metric.truth.right) / images;
}

const reconstruction: Measure = {
  id: 'reconstruction',
  title: 'Reconstruction',
  of: (metric) => (metric.kind === 'step' && metric.stage === 'pretrain' ? metric.unlabelledLoss : undefined),
};
const labelled: Measure = {
  id: 'labelled',
  title: 'Labelled images',
  of: (metric) => (metric.kind === 'step' && metric.stage !== 'pretrain' ? metric.labelledLoss : undefined),
};
const pseudoLabelled: Measure = {
  id: 'pseudo-labelled',
  title: 'Pseudo-labelled images',
  of: (metric) =>
    metric.kind === 'step' && metric.stage === 'finetune' && metric.counted > 0 ? metric.unlabelledLoss : undefined,
};
const alpha: Measure = {
  id: 'alpha',
  title: 'alpha(t)',
  of: (metric) => (metric.kind === 'step' && metric.stage === 'finetune' ? metric.alpha : undefined),
};
const counted: Measure = {
  id: 'counted',
  title: 'Counted',
  of: (metric) =>
    metric.kind === 'step' && metric.stage === 'finetune' && metric.unlabelled > 0
      ? metric.counted / metric.unlabelled
      : undefined,
};
const validation: Measure = {
  id: 'validation',
  title: 'Validation accuracy',
  of: (metric) => (metric.kind === 'validation' ? metric.accuracy : undefined),
};
const right: Measure = { id: 'right', title: 'Right', of: shareRight };
const confidence: Measure = {
  id: 'confidence',
  title: 'Mean confidence',
  of: (metric) => (metric.kind === 'labels' ? metric.meanConfidence : undefined),
};
const flips: Measure = {
  id: 'flips',
  title: 'Changed',
  of: (metric) => (metric.kind === 'labels' && metric.step > 0 ? metric.flips / sum(metric.perClass) : undefined),
};

const GROUPS: readonly Group[] = [
  { id: 'loss', title: 'loss', unit: 'number', scale: 'log', measures: [reconstruction, labelled, pseudoLabelled] },
  { id: 'alpha', title: 'weight of the pseudo-labels', unit: 'number', measures: [alpha] },
  { id: 'counted', title: 'share of pseudo-labels that count', unit: 'share', measures: [counted] },
  { id: 'validation', title: 'accuracy on validation images', unit: 'share', measures: [validation] },
  { id: 'quality', title: 'pseudo-labels', unit: 'share', measures: [right, confidence, flips] },
];
const QUALITY = 'quality';

/** The charts of one run: one a stage and group of measures. */
export function chartsOf(run: RunRecord): { readonly training: readonly Chart[]; readonly quality: readonly Chart[] } {
  const charts = STAGES.flatMap((stage) =>
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

/** The charts of several runs: one a stage and measure, a line a run. */
export function comparedCharts(runs: readonly RunRecord[]): Chart[] {
  return STAGES.flatMap((stage) =>
    GROUPS.flatMap((group) =>
      group.measures.flatMap((measure) =>
        chart(
          stage,
          { ...group, id: measure.id, title: `${group.title}: ${measure.title}` },
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

/** None where no line has anything to show. */
function chart(stage: Stage, { id, title, unit, scale }: Omit<Group, 'measures'>, lines: readonly Line[]): Chart[] {
  const shown = lines.filter(({ points }) => points.length > 0);
  if (shown.length === 0) return [];
  const named = `${STAGE_TITLES[stage]}: ${title}`;
  return [{ id: `${stage}-${id}`, title: named, x: 'step', unit, lines: shown, ...(scale ? { scale } : {}) }];
}
