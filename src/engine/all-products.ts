// The products of one thread, of every precision; those of TensorFlow are loaded when they are asked for.
import { FloatProducts } from './float-products.js';
import { openNative } from './native/native.js';
import type { Precision } from './precision.js';
import type { LayerProducts } from './products.js';
import { RoundedProducts } from './rounded-products.js';
import { Products } from './tensorflow.js';

export class AllProducts {
  readonly floats: FloatProducts;
  private tensorflow: Products | undefined;

  /** native: what multiplies floats. Throws as openNative(). */
  constructor(
    private readonly memory: WebAssembly.Memory,
    native = openNative(memory),
  ) {
    this.floats = new FloatProducts(memory, native);
  }

  /** Throws E_NATIVE. */
  of(precision: Precision): LayerProducts {
    if (precision === 'f32') return this.floats;
    this.tensorflow ??= new Products(this.memory);
    return new RoundedProducts(this.tensorflow, precision);
  }
}
