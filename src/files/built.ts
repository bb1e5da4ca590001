// Owns where the built files are. Threads and WebAssembly are always loaded from the build, also when tests run the sources.

/** path: below dist/, as 'worker/thread-entry.js'. */
export function built(path: string): URL {
  return new URL(import.meta.url.endsWith('.ts') ? `../../dist/${path}` : `../../${path}`, import.meta.url);
}
