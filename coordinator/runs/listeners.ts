// Owns how several listen to one run.
import type { RunListener } from './recorder.js';

export const together = (listeners: readonly RunListener[]): RunListener => ({
  stageBegins: (...told) => {
    for (const each of listeners) each.stageBegins(...told);
  },
  measured: (metric) => {
    for (const each of listeners) each.measured(metric);
  },
  reconstructed: (reconstructions) => {
    for (const each of listeners) each.reconstructed(reconstructions);
  },
  saved: (path) => {
    for (const each of listeners) each.saved(path);
  },
});
