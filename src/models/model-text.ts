// Turns models into JSON text and back, for threads, nodes and ranks; text is copied and compared as a whole. Both ends
// cache what they made of a model, so that a run writes and reads each model once, even if workers are lost or join.
import { cached } from '../cached.js';
import type { Model } from './model.js';

/** Replaces a value of one type by one of another. */
type Swapped<V, From, To> = V extends From ? To : V;
type WithModel<T, From, To> = T extends unknown
  ? { [K in keyof T]: K extends 'model' ? Swapped<T[K], From, To> : T[K] }
  : never;

/** The same type with its model as text. */
export type Written<T> = WithModel<T, Model, string>;
/** The same type with its model as an object. */
export type Read<T> = WithModel<T, string, Model>;

/** Writes models as text. The same object always has the same text, because models do not change. */
export class ModelWriter {
  private readonly texts = new WeakMap<Model, { readonly text: string }>();

  text(model: Model): string {
    return cached(this.texts, model, () => ({ text: JSON.stringify(model) })).text;
  }

  /** Returns a task with its model as text. */
  write<T extends object>(of: T): Written<T> {
    const { model } = of as { readonly model?: Model };
    return (model ? { ...of, model: this.text(model) } : of) as Written<T>;
  }
}

/** Reads models from text. The same text always gives the same object, which caches can use as their key. */
export class ModelReader {
  private readonly models = new Map<string, Model>();

  /** @param parse throws for a text that is no model */
  constructor(private readonly parse: (text: string) => Model = JSON.parse) {}

  /** Returns a task or a message with its model as an object. Throws what `parse` throws. */
  read<T extends object>(of: T): Read<T> {
    const { model: text } = of as { readonly model?: unknown };
    if (typeof text !== 'string') return of as Read<T>;
    return { ...of, model: cached(this.models, text, () => this.parse(text)) } as Read<T>;
  }
}
