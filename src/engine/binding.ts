// The types of what we use of tfjs-node's binding. Its own types import those of all of TensorFlow.js, which do not
// compile in strict programs.

/** An attribute of an operation. */
export interface Attribute {
  readonly name: string;
  /** A type code such as TF_ATTR_TYPE. */
  readonly type: number;
  readonly value: boolean | number | object | string | number[];
}

/** The binding. Its tensors are numbers, which belong to the thread that made them. */
export interface Binding {
  createTensor(shape: number[], type: number, values: Float32Array | Int32Array | Uint8Array): number;
  deleteTensor(tensor: number): void;
  tensorDataSync(tensor: number): Float32Array | Int32Array | Uint8Array;
  executeOp(
    name: string,
    attributes: Attribute[],
    inputs: number[],
    outputs: number,
  ): readonly { readonly id: number }[];
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_ATTR_BOOL: number;
  readonly TF_ATTR_FLOAT: number;
  readonly TF_ATTR_INT: number;
  readonly TF_ATTR_SHAPE: number;
  readonly TF_ATTR_STRING: number;
  readonly TF_ATTR_TYPE: number;
  readonly TF_Version: string | undefined;
}
