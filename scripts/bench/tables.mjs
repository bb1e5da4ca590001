// Turns the runs of a benchmark into its tables: medians with their ranges, ratios of speed, and where our step's time goes.

/** What we aim at, as ratios of speed in one run: of bf16 against what computes in bf16 too. */
const AIMS = [
  { id: 'tfjs-2', aim: 2.4 },
  { id: 'keras-2', aim: 1.3 },
  { id: 'ddp-2', aim: 1.7 },
  { id: 'ddp-tuned-2', aim: 1.7 },
  { id: 'torch-2', aim: 1 },
  { id: 'torch-tuned-2', aim: 1 },
  { id: 'ours-1', aim: 1.7 },
  { id: 'torch-autocast-2', aim: 1.2, ours: 'bf16-2' },
  { id: 'ddp-autocast-2', aim: 2, ours: 'bf16-2' },
  { id: 'bf16-1', aim: 1.7, ours: 'bf16-2' },
];

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
};

/** @param {readonly Record<string, unknown>[]} runs each with `id`, `label` and what it measured, or `failed` */
export function printTables(runs) {
  const good = runs.filter((run) => !run.failed);
  const of = (id, figure) => good.filter((run) => run.id === id).map((run) => figure(run));
  const stepOf = (run) => run.medianMs ?? run.ms_median;
  const inferenceOf = (run) => run.inferSeconds ?? run.infer_60k_s;

  const rows = [...new Map(good.map((run) => [run.id, run.label]))].map(([id, label]) => {
    const steps = of(id, stepOf).filter((value) => value !== undefined);
    const inferences = of(id, inferenceOf).filter((value) => typeof value === 'number');
    return {
      what: label,
      'ms a step': steps.length ? median(steps).toFixed(1) : '',
      range: steps.length ? `${Math.min(...steps).toFixed(1)}-${Math.max(...steps).toFixed(1)}` : '',
      rounds: of(id, stepOf).length,
      '60,000 labelled in s': inferences.length ? median(inferences).toFixed(2) : '',
    };
  });
  console.table(rows);

  const compared = AIMS.map((aim) => ({ ours: 'ours-2', ...aim }));
  const measured = compared.filter(({ id, ours }) => of(id, stepOf).length > 0 && of(ours, stepOf).length > 0);
  const ratios = measured.map(({ id, aim, ours }) => {
    const ratio = median(of(id, stepOf)) / median(of(ours, stepOf));
    const labelOf = (wanted) => good.find((run) => run.id === wanted).label;
    return {
      what: labelOf(ours),
      'faster than': labelOf(id),
      ratio: ratio.toFixed(2),
      aim,
      reached: ratio >= aim ? 'yes' : 'no',
    };
  });
  console.table(ratios);

  const product = median(of('product', (run) => run.product_60k_s));
  const labelling = median(of('ours-2', inferenceOf));
  const share = `${((100 * product) / labelling).toFixed(0)}% of the speed of its bare product (aim: 85%)`;
  console.log(`labelling 60,000 images: ${labelling.toFixed(2)} s, ${share}, which takes ${product.toFixed(2)} s`);
  for (const id of ['ours-2', 'ours-1', 'data-2', 'data-1', 'bf16-2', 'bf16-1', 'bf16-data-2']) {
    if (of(id, stepOf).length === 0) continue;
    const names = Object.keys(of(id, (run) => run.parts)[0]);
    const parts = names.map((name) => `${name} ${median(of(id, (run) => run.parts[name])).toFixed(2)}`);
    console.log(`${id}, ms: ${parts.join(', ')}`);
  }
}

/** What watching a run may cost at most, as a share of a step. */
const MOST_OVERHEAD = 0.02;

/** @param {{ms: number, workers: number, rounds: number, overhead: {value: number, low: number, high: number}, parts: Record<string, number>}} of */
export function overheadLines({ ms, workers, rounds, overhead: { value, low, high }, parts }) {
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const range = low === undefined ? '' : ` [${percent(low)}, ${percent(high)}]`;
  const step = `a step of ${ms.toFixed(1)} ms, ${workers} workers; ${rounds} rounds, 95 % interval`;
  // An interval that holds the limit says neither.
  const verdict =
    high < MOST_OVERHEAD ? 'yes' : low > MOST_OVERHEAD ? 'no' : 'not sure: the interval holds it; quieten the machine';
  const where = Object.entries(parts).map(([what, milliseconds]) => `${what} ${percent(milliseconds / ms)}`);
  return [
    `metrics, trace and dashboard together cost ${percent(value)}${range} of ${step}`,
    `under ${percent(MOST_OVERHEAD)}: ${verdict}`,
    `the main thread's time, as shares of a step: ${where.join(', ')}`,
  ];
}
