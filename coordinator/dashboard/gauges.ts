// Keeps the metrics for Prometheus of one run, or of several runs one after the other.
import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { stepValues } from '../../src/reporting/metrics.js';
import type { Stage } from '../../src/training/stage.js';
import type { RunListener } from '../runs/recorder.js';
import type { Metric } from '../runs/result.js';

export class Gauges implements RunListener {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];
  private readonly steps = new Counter({
    name: 'pseudolabel_steps_total',
    help: 'Training steps done by this process',
    labelNames: ['stage'] as const,
    registers: this.registers,
  });
  private readonly rows = new Counter({
    name: 'pseudolabel_rows_total',
    help: 'Rows that went through a training step of this process',
    registers: this.registers,
  });
  private readonly stageSteps = this.gauge('stage_steps', 'Steps of the stage', 'stage');
  private readonly step = this.gauge('step', 'Number of the last step in its stage, from 0', 'stage');
  private readonly loss = this.gauge('loss', 'Mean loss over rows of one kind in the last step', 'rows');
  private readonly alpha = this.gauge('alpha', 'Weight of the pseudo-labels in the last step');
  private readonly counted = this.gauge('counted_share', "Share of the last step's pseudo-labels that counted");
  private readonly accuracy = this.gauge('validation_accuracy', 'Accuracy on the validation images, 0 to 1');
  private readonly perClass = this.gauge('pseudo_labels', 'Pseudo-labels of each class at the last look', 'class');
  private readonly share = this.gauge(
    'class_share',
    'Share of the class that pseudo-labels are held to, 0 to 1',
    'class',
  );
  private readonly flips = this.gauge('pseudo_label_flips', 'Pseudo-labels that changed since the look before');
  private readonly confidence = this.gauge('pseudo_label_confidence', 'Mean confidence at the last look, 0 to 1');

  private readonly agreement = this.gauge(
    'members_agreement',
    'Share of images that all networks of an ensemble class alike',
  );

  private readonly lost = this.gauge('lost_workers', 'Workers that were lost, and whose work was done again');

  private readonly run = this.gauge('run', '1 for the run that is on', 'run');

  private classNames: readonly string[] = [];

  constructor(private readonly lostWorkers: () => number) {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Returns the metrics in Prometheus's text format, and its content type. */
  async text(): Promise<{ readonly type: string; readonly text: string }> {
    this.lost.set(this.lostWorkers());
    return { type: this.registry.contentType, text: await this.registry.metrics() };
  }

  /** Begins a run, which may follow another one. name: that of the run. Classes without names are numbered. */
  begins(name: string, classNames: readonly string[] = []): void {
    this.classNames = classNames;
    this.run.reset();
    this.run.set({ run: name }, 1);
  }

  stageBegins(stage: Stage, _: number, steps: number): void {
    this.stageSteps.set({ stage: stage.name }, steps);
  }

  measured(metric: Metric): void {
    const { stage } = metric;
    switch (metric.kind) {
      case 'step': {
        const { reconstructionLoss, labelledLoss, pseudoLabelledLoss, alpha, counted } = stepValues(metric);
        const unlabelledLoss = reconstructionLoss ?? pseudoLabelledLoss;
        this.steps.inc({ stage });
        this.rows.inc(metric.rows);
        this.step.set({ stage }, metric.step);
        if (labelledLoss !== undefined) this.loss.set({ rows: 'labelled' }, labelledLoss);
        if (unlabelledLoss !== undefined) this.loss.set({ rows: 'unlabelled' }, unlabelledLoss);
        if (alpha !== undefined) this.alpha.set(alpha);
        if (counted !== undefined) this.counted.set(counted);
        break;
      }
      case 'labels':
        for (const [each, count] of metric.perClass.entries())
          this.perClass.set({ class: this.classNames[each] ?? String(each) }, count);
        this.flips.set(metric.flips);
        this.confidence.set(metric.meanConfidence);
        break;
      case 'shares':
        for (const [each, share] of metric.shares.entries())
          this.share.set({ class: this.classNames[each] ?? String(each) }, share);
        break;
      case 'members':
        this.agreement.set(metric.agreement);
        break;
      case 'validation':
        this.accuracy.set(metric.accuracy);
    }
  }

  private gauge(name: string, help: string, ...labelNames: string[]): Gauge {
    const gauge = new Gauge({ name: `pseudolabel_${name}`, help, labelNames, registers: this.registers });
    if (labelNames.length === 0) gauge.remove(); // A gauge without labels begins at 0, as if that had been measured.
    return gauge;
  }
}
