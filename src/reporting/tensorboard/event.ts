// Owns TensorBoard's messages as protocol buffers: tensorflow/core/util/event.proto and tensorflow/core/framework/summary.proto, in so far as
// a run needs them. Numbers are those of their fields.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** When something was, and after how many steps of the run. */
export interface When {
  /** Seconds since 1970. */
  readonly time: number;
  readonly step: number;
}

export interface Histogram {
  /** Ends of the buckets, ascending; a bucket begins where the one before ends. */
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
  readonly png: Uint8Array;
}

export type Value = { readonly tag: string } & (
  | { readonly scalar: number }
  | { readonly histogram: Histogram }
  | { readonly image: Image }
);

const GREYSCALE = 1; // Summary.Image.colorspace
const START = 1; // SessionLog.SessionStatus

/** The first message of every file. */
export const versionEvent = (when: When): Uint8Array =>
  event(when, (writer) => writer.tag(3, WireType.LengthDelimited).string('brain.Event:2'));

/** Steps from this one on are written again: TensorBoard forgets what other files of the folder say of them. */
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
  else if ('image' in each) message(writer, 4, () => image(writer, each.image));
  else message(writer, 5, () => histogram(writer, each.histogram));
}

function image(writer: BinaryWriter, { width, height, png }: Image): void {
  writer.tag(1, WireType.Varint).int32(height);
  writer.tag(2, WireType.Varint).int32(width);
  writer.tag(3, WireType.Varint).int32(GREYSCALE);
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
