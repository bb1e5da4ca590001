// The table of the presets: a name, and the function that gives its stages. A new preset is one file in this folder and
// one row here.
import { best } from './best.js';
import { modern } from './modern.js';
import { paper } from './paper.js';
import { report } from './report.js';
import type { Preset } from './shared.js';

/** The presets of the report's four scenarios. */
export const PRESETS = ['best', 'paper', 'report'] as const;

/** These presets, and `modern`. */
export const ALL_PRESETS = ['modern', ...PRESETS] as const;

export const PRESET: Readonly<Record<(typeof ALL_PRESETS)[number], Preset>> = { modern, best, paper, report };
