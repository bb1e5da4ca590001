// Draws the charts of the page: lines over steps, with their last values as text for screen readers.
import uPlot from 'uplot';
import type { Series } from './series.js';

interface Line {
  readonly name: string;
  of(series: Series): readonly (number | null)[];
}

interface Plan {
  readonly title: string;
  readonly isLog?: boolean;
  readonly isShare?: boolean;
  x(series: Series): readonly number[];
  readonly lines: readonly Line[];
}

const PLANS: readonly Plan[] = [
  {
    title: 'Accuracy on validation images',
    isShare: true,
    x: ({ validations }) => validations,
    lines: [{ name: 'Accuracy', of: ({ accuracy }) => accuracy }],
  },
  {
    title: 'Loss',
    isLog: true,
    x: ({ steps }) => steps,
    lines: [
      { name: 'Reconstruction', of: ({ reconstruction }) => reconstruction },
      { name: 'Labelled images', of: ({ labelled }) => labelled },
      { name: 'Pseudo-labelled images', of: ({ pseudoLabelled }) => pseudoLabelled },
    ],
  },
  {
    title: 'Pseudo-labels (right: known only because this data set has all labels)',
    isShare: true,
    x: ({ looks }) => looks,
    lines: [
      { name: 'Right', of: ({ right }) => right },
      { name: 'Mean confidence', of: ({ confidence }) => confidence },
      { name: 'Changed', of: ({ flips }) => flips },
    ],
  },
  {
    title: 'Images that all networks class alike',
    isShare: true,
    x: ({ membersAsked }) => membersAsked,
    lines: [{ name: 'Agreement', of: ({ agreement }) => agreement }],
  },
  {
    title: 'Share of pseudo-labels that count',
    isShare: true,
    x: ({ steps }) => steps,
    lines: [{ name: 'Counted', of: ({ counted }) => counted }],
  },
  {
    title: 'Weight of the pseudo-labels',
    x: ({ steps }) => steps,
    lines: [{ name: 'alpha(t)', of: ({ alpha }) => alpha }],
  },
];

const HEIGHT = 220;
const DASHES: readonly number[][] = [[], [6, 3], [2, 2]];
/** Points are shown if there are fewer than this. */
const FEW = 60;

/** Returns a colour of the page's style. It is read each time, because light and dark mode change it. */
const colour = (role: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();

export class Charts {
  private readonly charts: readonly Chart[];

  constructor(parent: HTMLElement) {
    this.charts = PLANS.map((plan) => new Chart(parent, plan));
    const redraw = (): void => {
      for (const chart of this.charts) chart.redraw();
    };
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
  }

  show(series: Series): void {
    for (const chart of this.charts) chart.show(series);
  }
}

class Chart {
  private readonly figure = document.createElement('figure');
  private readonly plot: uPlot;
  private marks: Series['marks'] = [];
  /** The number of the last step of the run. */
  private last = 1;

  constructor(
    parent: HTMLElement,
    private readonly plan: Plan,
  ) {
    const caption = document.createElement('figcaption');
    caption.textContent = plan.title;
    this.figure.append(caption);
    parent.append(this.figure);
    this.plot = new uPlot(this.options(), [[], ...plan.lines.map(() => [])], this.figure);
    this.plot.root.querySelector('.u-wrap')?.setAttribute('role', 'img');
    new ResizeObserver(() => this.plot.setSize({ width: this.figure.clientWidth, height: HEIGHT })).observe(
      this.figure,
    );
  }

  show(series: Series): void {
    const { x, lines, title } = this.plan;
    const columns = lines.map((line) => line.of(series));
    const steps = x(series);
    this.marks = series.marks;
    this.last = series.allSteps();
    this.figure.hidden = columns.every((column) => column.every((value) => value === null));
    this.plot.setData([steps as number[], ...(columns as (number | null)[][])]);
    this.showLinesWithValues(columns);
    const parts = lines.flatMap(({ name }, l) => {
      const last = lastOf(columns[l]!);
      return last === undefined ? [] : [`${name} ${this.written(last)}`];
    });
    const step = steps.at(-1) ?? 0;
    this.plot.root
      .querySelector('.u-wrap')
      ?.setAttribute('aria-label', `Line chart. ${title}: at step ${step}, ${parts.join(', ')}.`);
  }

  /** Hides lines without values from the legend. */
  private showLinesWithValues(columns: readonly (readonly (number | null)[])[]): void {
    const entries = this.plot.root.querySelectorAll<HTMLElement>('.u-legend .u-series');
    for (const [l, column] of columns.entries()) {
      const entry = entries[l + 1];
      if (entry) entry.hidden = column.every((value) => value === null);
    }
  }

  redraw(): void {
    this.plot.redraw();
  }

  private written(value: number | null | undefined): string {
    if (value === null || value === undefined) return 'nothing yet';
    return this.plan.isShare ? `${(100 * value).toFixed(1)} %` : String(Number(value.toPrecision(3)));
  }

  /** Draws a line at each step at which a node came or went. */
  private drawMarks({ ctx, bbox, scales, valToPos }: uPlot): void {
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const { x, kind } of this.marks) {
      if (x < (scales.x?.min ?? 0) || x > (scales.x?.max ?? 0)) continue;
      const left = Math.round(valToPos(x, 'x', true));
      ctx.strokeStyle = colour(kind === 'gone' ? 'series2' : 'series3');
      ctx.setLineDash(kind === 'gone' ? [] : [2 * devicePixelRatio, 3 * devicePixelRatio]);
      ctx.beginPath();
      ctx.moveTo(left, bbox.top);
      ctx.lineTo(left, bbox.top + bbox.height);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Returns the label of a place on the axis. A logarithmic axis leaves some places without one. */
  private label(value: number | null): string {
    if (value === null) return '';
    return this.plan.isShare ? `${Math.round(100 * value)} %` : this.written(value);
  }

  /**
   * Returns the range of steps. All charts show the steps of the whole run, so that they can be compared, unless the
   * user has chosen a part with the mouse.
   */
  private steps({ data }: uPlot, min: number, max: number): uPlot.Range.MinMax {
    const [steps] = data;
    const isWhole = steps.length < 2 || (min === steps[0] && max === steps.at(-1));
    return isWhole ? [0, Math.max(1, this.last)] : [min, max];
  }

  private options(): uPlot.Options {
    const axis = {
      stroke: () => colour('faint'),
      font: `12px ${getComputedStyle(document.body).fontFamily}`,
      grid: { stroke: () => colour('line'), width: 1 },
      ticks: { stroke: () => colour('line') },
    };
    const { isLog = false, isShare = false, lines } = this.plan;
    return {
      width: this.figure.clientWidth || 400,
      height: HEIGHT,
      hooks: { draw: [(plot) => this.drawMarks(plot)] },
      cursor: { drag: { x: true, y: false } },
      scales: {
        x: { time: false, range: (plot, min, max) => this.steps(plot, min, max) },
        y: isLog ? { distr: 3 } : isShare ? { range: [0, 1] } : {},
      },
      axes: [
        axis,
        {
          ...axis,
          ...(isLog ? { grid: { ...axis.grid, filter: decades }, ticks: { ...axis.ticks, filter: decades } } : {}),
          size: 64,
          values: (_, splits) => splits.map((value) => this.label(value)),
        },
      ],
      series: [
        { label: 'step', value: (plot, value, _, at) => String((at === null ? plot.data[0].at(-1) : value) ?? '–') },
        ...lines.map(({ name }, l) => ({
          label: name,
          stroke: () => colour(`series${l + 1}`),
          width: 2,
          dash: DASHES[l]!,
          spanGaps: false,
          value: (plot: uPlot, value: number | null, s: number, at: number | null) =>
            this.written(at === null ? lastOf(plot.data[s]!) : value),
          points: { show: (plot: uPlot) => plot.data[0].length <= FEW },
        })),
      ],
    };
  }
}

/** Leaves a line at each power of ten. The lines between would merge into grey. */
const decades = (_: uPlot, places: readonly number[]): (number | null)[] =>
  places.map((place) => (Number.isInteger(Number(Math.log10(place).toFixed(6))) ? place : null));

const lastOf = (column: ArrayLike<number | null | undefined>): number | null | undefined =>
  Array.from(column).findLast((value) => value !== null);
