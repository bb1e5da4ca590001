// Caches of values that are made when they are first needed.

/**
 * Returns the value of a key, which is made if the map has none. A WeakMap drops it with the object that is its key.
 */
export function cached<K, T extends object>(
  map: { get(key: K): T | undefined; set(key: K, value: T): unknown },
  key: K,
  make: () => T,
): T {
  let value = map.get(key);
  if (value === undefined) {
    value = make();
    map.set(key, value);
  }
  return value;
}

/**
 * A cache of values that belong to an object, such as a model, and to some numbers. The object itself is the key, so
 * that it is not turned into text.
 */
export class CacheOf<O extends object, T extends object> {
  private readonly values = new WeakMap<O, Map<string, T>>();

  get(owner: O, of: readonly unknown[], make: () => T): T {
    const ofOwner = cached(this.values, owner, () => new Map<string, T>());
    return cached(ofOwner, of.join(), make);
  }
}
