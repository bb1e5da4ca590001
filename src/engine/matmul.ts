// Multiplies two tensors: as they are, or, for bfloat16 on a processor without such products, by way of floats.
import type { Binding } from './binding.js';

/** Number of TensorFlow's type, which tfjs does not know. */
export const TF_BFLOAT16 = 14;

export interface MatMul {
  /** Ids of tensors in, the id of a new one of the same type out: a * b, with a or b transposed first where said so. */
  multiply(a: number, transposeA: boolean, b: number, transposeB: boolean): number;
}

/** TensorFlow's MatMul of one type. Of bfloat16 it may end the process where the processor has no such products. */
export class Direct implements MatMul {
  private readonly attributes;

  constructor(
    private readonly binding: Binding,
    type: number,
  ) {
    const of = (a: boolean, b: boolean) => [
      { name: 'transpose_a', type: binding.TF_ATTR_BOOL, value: a },
      { name: 'transpose_b', type: binding.TF_ATTR_BOOL, value: b },
      { name: 'T', type: binding.TF_ATTR_TYPE, value: type },
    ];
    this.attributes = [false, true].map((a) => [false, true].map((b) => of(a, b)));
  }

  multiply(a: number, transposeA: boolean, b: number, transposeB: boolean): number {
    const attributes = this.attributes[Number(transposeA)]![Number(transposeB)]!;
    return this.binding.executeOp('MatMul', attributes, [a, b], 1)[0]!.id;
  }
}

/**
 * The same of bfloat16 on any processor: operands widened, which is exact, their product as floats, and that rounded once, to nearest
 * even. A processor's own products differ from it by the order of their sums alone.
 */
export class Emulated implements MatMul {
  constructor(
    private readonly binding: Binding,
    private readonly floats: MatMul,
  ) {}

  multiply(a: number, transposeA: boolean, b: number, transposeB: boolean): number {
    const { TF_FLOAT } = this.binding;
    const operands = [a, b].map((tensor) => this.cast(tensor, TF_BFLOAT16, TF_FLOAT)) as [number, number];
    const product = this.floats.multiply(operands[0], transposeA, operands[1], transposeB);
    const rounded = this.cast(product, TF_FLOAT, TF_BFLOAT16);
    for (const tensor of [...operands, product]) this.binding.deleteTensor(tensor);
    return rounded;
  }

  private cast(tensor: number, from: number, to: number): number {
    const { TF_ATTR_TYPE, TF_ATTR_BOOL } = this.binding;
    const attributes = [
      { name: 'SrcT', type: TF_ATTR_TYPE, value: from },
      { name: 'DstT', type: TF_ATTR_TYPE, value: to },
      { name: 'Truncate', type: TF_ATTR_BOOL, value: false },
    ];
    return this.binding.executeOp('Cast', attributes, [tensor], 1)[0]!.id;
  }
}
