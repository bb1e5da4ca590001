// Writes the protocol buffers of ONNX (https://github.com/onnx/onnx, onnx/onnx.proto), as far as our models need them.
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';

/** TensorProto.DataType */
const FLOAT = 1;
const INT64 = 7;
/** AttributeProto.AttributeType */
const TYPES = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** An attribute of an operator. */
export type Attribute =
  | { readonly kind: 'float' | 'int'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] };

export interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** A constant of a graph. */
export interface Constant {
  readonly name: string;
  readonly shape: readonly number[];
  readonly values: Float32Array | readonly number[];
}

/** An input or an output of a graph. Its first dimension is any number of rows. */
export interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

export interface Graph {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
  readonly input: Value;
  readonly output: Value;
}

/** The versions of ONNX 1.12, which has all operators that are used here. */
const IR_VERSION = 8;
const OPERATOR_SET = 17;

/** Writes a ModelProto. metadata: for people. */
export function onnxBytes(graph: Graph, metadata: Readonly<Record<string, string>>): Uint8Array {
  const model = new BinaryWriter();
  field(model, 1).int64(IR_VERSION);
  text(model, 2, 'pseudolabel');
  message(model, 7, graphOf(graph));
  const operators = new BinaryWriter();
  text(operators, 1, '');
  field(operators, 2).int64(OPERATOR_SET);
  message(model, 8, operators);
  for (const [key, value] of Object.entries(metadata)) {
    const entry = new BinaryWriter();
    text(entry, 1, key);
    text(entry, 2, value);
    message(model, 14, entry);
  }
  return model.finish();
}

function graphOf({ name, nodes, constants, input, output }: Graph): BinaryWriter {
  const graph = new BinaryWriter();
  for (const node of nodes) message(graph, 1, nodeOf(node));
  text(graph, 2, name);
  for (const constant of constants) message(graph, 5, tensorOf(constant));
  message(graph, 11, valueInfo(input));
  message(graph, 12, valueInfo(output));
  return graph;
}

function nodeOf({ operator, inputs, output, attributes }: Node): BinaryWriter {
  const node = new BinaryWriter();
  for (const input of inputs) text(node, 1, input);
  text(node, 2, output);
  text(node, 3, output);
  text(node, 4, operator);
  for (const [name, attribute] of Object.entries(attributes)) message(node, 5, attributeOf(name, attribute));
  return node;
}

function attributeOf(name: string, attribute: Attribute): BinaryWriter {
  const writer = new BinaryWriter();
  text(writer, 1, name);
  switch (attribute.kind) {
    case 'float':
      writer.tag(2, WireType.Bit32).float(attribute.value);
      break;
    case 'int':
      field(writer, 3).int64(attribute.value);
      break;
    case 'string':
      text(writer, 4, attribute.value);
      break;
    case 'ints':
      for (const value of attribute.value) field(writer, 8).int64(value);
      break;
  }
  field(writer, 20).int32(TYPES[attribute.kind]);
  return writer;
}

function tensorOf({ name, shape, values }: Constant): BinaryWriter {
  const tensor = new BinaryWriter();
  for (const size of shape) field(tensor, 1).int64(size);
  const isFloat = values instanceof Float32Array;
  field(tensor, 2).int32(isFloat ? FLOAT : INT64);
  text(tensor, 8, name);
  const raw = isFloat ? values : BigInt64Array.from(values, BigInt);
  tensor.tag(9, WireType.LengthDelimited).bytes(new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength));
  return tensor;
}

/** Writes a ValueInfoProto of floats. */
function valueInfo({ name, shape }: Value): BinaryWriter {
  const sizes = new BinaryWriter();
  const rows = new BinaryWriter();
  text(rows, 2, 'rows');
  message(sizes, 1, rows);
  for (const size of shape) {
    const dimension = new BinaryWriter();
    field(dimension, 1).int64(size);
    message(sizes, 1, dimension);
  }
  const tensor = new BinaryWriter();
  field(tensor, 1).int32(FLOAT);
  message(tensor, 2, sizes);
  const type = new BinaryWriter();
  message(type, 1, tensor);
  const value = new BinaryWriter();
  text(value, 1, name);
  message(value, 2, type);
  return value;
}

const field = (writer: BinaryWriter, number: number): BinaryWriter => writer.tag(number, WireType.Varint);

const text = (writer: BinaryWriter, number: number, value: string): BinaryWriter =>
  writer.tag(number, WireType.LengthDelimited).string(value);

const message = (writer: BinaryWriter, number: number, content: BinaryWriter): BinaryWriter =>
  writer.tag(number, WireType.LengthDelimited).bytes(content.finish());
