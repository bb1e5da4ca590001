// How a model travels to threads, nodes and ranks: as its JSON text, which is copied and compared as a whole. Both ends keep what they have made of
// a model, so that in a run each model is written once and read once, whoever is lost or joins.
import { cached } from '../cached.js';
import type { Model } from './model.js';

/** A value of one type in the place of a value of another. */
type Swapped<V, From, To> = V extends From ? To : V;
type WithModel<T, From, To> = T extends unknown
  ? { [K in keyof T]: K extends 'model' ? Swapped<T[K], From, To> : T[K] }
  : never;

/** The same with its model as text. */
export type Written<T> = WithModel<T, Model, string>;
/** The same with its model as an object. */
export type Read<T> = WithModel<T, string, Model>;

/** The texts of models. An object has always the same text: models do not change. */
export class ModelWriter {
  private readonly texts = new WeakMap<Model, { readonly text: string }>();

  text(model: Model): string {
    return cached(this.texts, model, () => ({ text: JSON.stringify(model) })).text;
  }

  /** A task with its model as text. */
  write<T extends object>(of: T): Written<T> {
    const { model } = of as { readonly model?: Model };
    return (model ? { ...of, model: this.text(model) } : of) as Written<T>;
  }
}

/** The models of texts. A text has always the same object, which caches can have as their key. */
export class ModelReader {
  private readonly models = new Map<string, Model>();

  /** @param parse throws for what is no model */
  constructor(private readonly parse: (text: string) => Model = JSON.parse) {}

  /** A task or a message with its model as an object. Throws as `parse`. */
  read<T extends object>(of: T): Read<T> {
    const { model: text } = of as { readonly model?: unknown };
    if (typeof text !== 'string') return of as Read<T>;
    return { ...of, model: cached(this.models, text, () => this.parse(text)) } as Read<T>;
  }
}
