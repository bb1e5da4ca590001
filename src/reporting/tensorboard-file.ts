// Writes TensorBoard's event files: turns metrics into values, as protocol buffers in TFRecord frames.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { shareRight } from './curves.js';
import { pngOf, type Size } from './image.js';
import { stepValues } from './metrics.js';
import type { MetricRecord, StepRecord } from './record.js';

/** The most classes that get a chart each. Nobody looks at more. */
const MOST_CLASSES = 100;

/** Returns the values of a metric. classNames: in the order of its counts. */
export function valuesOf(metric: MetricRecord, classNames: readonly string[]): Value[] {
  const isFew = classNames.length <= MOST_CLASSES;
  const tagged = (name: string, scalar: number): Value => ({ tag: `${metric.stage}/${name}`, scalar });
  switch (metric.kind) {
    case 'step':
      return stepScalars(metric).map(([name, scalar]) => tagged(name, scalar));
    case 'validation':
      return [tagged('validation_accuracy', metric.accuracy)];
    case 'members':
      return [tagged('members/agreement', metric.agreement)];
    case 'shares':
      return !isFew ? [] : metric.shares.map((share, each) => tagged(`class_shares/${classNames[each]}`, share));
    case 'labels': {
      const right = shareRight(metric);
      return [
        tagged('pseudo_labels/flips', metric.flips),
        tagged('pseudo_labels/mean_confidence', metric.meanConfidence),
        ...(isFew
          ? metric.perClass.map((count, each) => tagged(`pseudo_labels_of_class/${classNames[each]}`, count))
          : []),
        ...(right === undefined ? [] : [tagged('pseudo_labels/right_known_here_only', right)]),
        { tag: `${metric.stage}/pseudo_labels/confidence`, histogram: histogramOf(metric.confidences) },
      ];
    }
  }
}

function stepScalars(step: StepRecord): [name: string, value: number][] {
  const { reconstructionLoss, labelledLoss, pseudoLabelledLoss, alpha, counted } = stepValues(step);
  const named: [string, number | undefined][] = [
    ['loss/reconstruction', reconstructionLoss],
    ['loss/labelled', labelledLoss],
    ['alpha', alpha],
    ['loss/pseudo_labelled', pseudoLabelledLoss],
    ['counted', counted],
  ];
  return named.flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as [string, number]]));
}

/**
 * Returns a histogram. counts: of values in equal parts of 0 to 1. The sums assume that every value is in the middle of
 * its part.
 */
export function histogramOf(counts: readonly number[]): Histogram {
  const parts = counts.length;
  const middle = (part: number): number => (part + 0.5) / parts;
  const moment = (power: number): number => counts.reduce((sum, count, part) => sum + count * middle(part) ** power, 0);
  const first = counts.findIndex((count) => count > 0);
  const last = counts.findLastIndex((count) => count > 0);
  return {
    limits: counts.map((_, part) => (part + 1) / parts),
    counts,
    min: Math.max(0, first) / parts,
    max: (last + 1) / parts,
    sum: moment(1),
    sumOfSquares: moment(2),
  };
}

/**
 * Returns one picture of three rows: original, noisy, reconstructed. The strings are pixels, one byte each, in base64.
 */
export function reconstructionsImage(
  { rows, columns, channels = 1 }: Size,
  images: readonly { readonly original: string; readonly noisy: string; readonly reconstructed: string }[],
): Value {
  const size = { rows: 3 * rows, columns: columns * images.length, channels };
  const line = columns * channels;
  const pixels = new Uint8Array(size.rows * size.columns * channels);
  for (const [i, each] of images.entries()) {
    for (const [k, base64] of [each.original, each.noisy, each.reconstructed].entries()) {
      const bytes = Buffer.from(base64, 'base64');
      for (let row = 0; row < rows; row++) {
        const values = bytes.subarray(row * line, (row + 1) * line);
        pixels.set(values, (k * rows + row) * line * images.length + i * line);
      }
    }
  }
  const png = pngOf(pixels, size);
  return {
    tag: 'pretrain/original_noisy_reconstructed',
    image: { width: size.columns, height: size.rows, channels, png },
  };
}

/** The time of an event, and the steps of the run before it. */
export interface When {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
}

export interface Histogram {
  /** The ends of the buckets, ascending. A bucket begins where the one before ends. */
  readonly limits: readonly number[];
  readonly counts: readonly number[];
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly sumOfSquares: number;
}

export interface Image {
  readonly width: number;
  readonly height: number;
  /** The number of channels, which TensorBoard calls colour space: 1 for grey, 3 for red, green and blue. */
  readonly channels: number;
  readonly png: Uint8Array;
}

/**
 * What TensorBoard's plugin hparams records of a run, which it calls a session: its numbers at the start, and that it
 * has ended.
 */
export type Session =
  | {
      readonly kind: 'start';
      readonly hparams: Readonly<Record<string, number | string | boolean>>;
      readonly time: number;
    }
  | { readonly kind: 'end'; readonly time: number };

export type Value = { readonly tag: string } & (
  | { readonly scalar: number }
  | { readonly session: Session }
  | { readonly histogram: Histogram }
  | { readonly image: Image }
);

const START = 1; // SessionLog.SessionStatus

/** Returns the first record of every file. */
export const versionEvent = (when: When): Uint8Array =>
  event(when, (writer) => writer.tag(3, WireType.LengthDelimited).string('brain.Event:2'));

/**
 * Returns the event that says that steps from this one on are written again. TensorBoard then drops those steps from
 * the other files of the folder.
 */
export const startEvent = (when: When): Uint8Array =>
  event(when, (writer) => message(writer, 7, () => writer.tag(1, WireType.Varint).int32(START)));

export const summaryEvent = (when: When, values: readonly Value[]): Uint8Array =>
  event(when, (writer) =>
    message(writer, 5, () => {
      for (const each of values) message(writer, 1, () => value(writer, each));
    }),
  );

function event({ time, step }: When, what: (writer: BinaryWriter) => void): Uint8Array {
  const writer = new BinaryWriter();
  writer.tag(1, WireType.Bit64).double(time);
  writer.tag(2, WireType.Varint).int64(step);
  what(writer);
  return writer.finish();
}

function message(writer: BinaryWriter, field: number, content: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork();
  content();
  writer.join();
}

function value(writer: BinaryWriter, each: Value): void {
  writer.tag(1, WireType.LengthDelimited).string(each.tag);
  if ('scalar' in each) writer.tag(2, WireType.Bit32).float(each.scalar);
  else if ('session' in each) session(writer, each.session);
  else if ('image' in each) message(writer, 4, () => image(writer, each.image));
  else message(writer, 5, () => histogram(writer, each.histogram));
}

export const sessionValue = (of: Session): Value => ({ tag: `_hparams_/session_${of.kind}_info`, session: of });

const FLOAT = 1; // DataType
const SUCCESS = 1; // hparams.Status

/**
 * Writes a Summary.Value with SummaryMetadata of the plugin, whose content is a HParamsPluginData, and an empty tensor.
 */
function session(writer: BinaryWriter, of: Session): void {
  const data = new BinaryWriter();
  if (of.kind === 'start')
    message(data, 3, () => {
      for (const [name, value] of Object.entries(of.hparams))
        message(data, 1, () => {
          data.tag(1, WireType.LengthDelimited).string(name);
          message(data, 2, () => structValue(data, value));
        });
      data.tag(5, WireType.Bit64).double(of.time);
    });
  else
    message(data, 4, () => {
      data.tag(1, WireType.Varint).int32(SUCCESS);
      data.tag(2, WireType.Bit64).double(of.time);
    });
  message(writer, 9, () =>
    message(writer, 1, () => {
      writer.tag(1, WireType.LengthDelimited).string('hparams');
      writer.tag(2, WireType.LengthDelimited).bytes(data.finish());
    }),
  );
  message(writer, 8, () => {
    writer.tag(1, WireType.Varint).int32(FLOAT);
    message(writer, 2, () => undefined);
    message(writer, 5, () => writer.float(0));
  });
}

/** Writes a google.protobuf.Value. */
function structValue(writer: BinaryWriter, value: number | string | boolean): void {
  if (typeof value === 'number') writer.tag(2, WireType.Bit64).double(value);
  else if (typeof value === 'string') writer.tag(3, WireType.LengthDelimited).string(value);
  else writer.tag(4, WireType.Varint).bool(value);
}

function image(writer: BinaryWriter, { width, height, channels, png }: Image): void {
  writer.tag(1, WireType.Varint).int32(height);
  writer.tag(2, WireType.Varint).int32(width);
  writer.tag(3, WireType.Varint).int32(channels);
  writer.tag(4, WireType.LengthDelimited).bytes(png);
}

function histogram(writer: BinaryWriter, { limits, counts, min, max, sum, sumOfSquares }: Histogram): void {
  const num = counts.reduce((total, count) => total + count, 0);
  for (const [index, number] of [min, max, num, sum, sumOfSquares].entries()) {
    writer.tag(index + 1, WireType.Bit64).double(number);
  }
  for (const [field, numbers] of [
    [6, limits],
    [7, counts],
  ] as const) {
    message(writer, field, () => {
      for (const each of numbers) writer.double(each);
    });
  }
}

/**
 * Masks a checksum by a rotation and a constant, because checksums of data that contains checksums are weak
 * (tensorflow/core/lib/hash/crc32c.h, Mask).
 */
export function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

export function recordOf(data: Uint8Array): Uint8Array {
  const record = Buffer.alloc(data.length + 16);
  record.writeBigUInt64LE(BigInt(data.length), 0);
  record.writeUInt32LE(masked(crc32c(record.subarray(0, 8))), 8);
  record.set(data, 12);
  record.writeUInt32LE(masked(crc32c(data)), 12 + data.length);
  return record;
}

const POLYNOMIAL = 0x82f63b78; // 0x1edc6f41, lowest bit first

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++) remainder = (remainder >>> 1) ^ (remainder & 1 ? POLYNOMIAL : 0);
  return remainder;
});

export function crc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (crc >>> 8) ^ TABLE[(crc ^ byte) & 0xff]!;
  return ~crc >>> 0;
}
