// Defines the messages from the dashboard's server to its page: everything once when a page connects, then what is new.
// The page may have been connected to another server of the same run, so the first message replaces all that it knows.
import type { SettingsColumns } from '../../src/reporting/numbers.js';
import type { NodeActivity } from '../executors/cluster/status.js';

/** The name of the event of each message. */
export type MessageName = 'everything' | 'news';

export interface RunInfo {
  /** The name of the run directory; in a reproduction, its path there. */
  readonly name: string;
  readonly title: string;
  readonly stages: readonly { readonly title: string; readonly steps: number }[];
  /** Whether there is a report to link to. */
  readonly hasReport: boolean;
  /** If undefined, classes are numbered. */
  readonly classNames?: readonly string[] | undefined;
  /** The hyper-parameters: a column for each stage, a row for each path. */
  readonly settings?: SettingsColumns | undefined;
  /** How images are augmented; undefined if they are not. */
  readonly views?: readonly ViewsNews[] | undefined;
}

/** How a run ended. Accuracies are from 0 to 1. at: the time of the end in milliseconds since 1970. */
export interface EndNews {
  readonly testAccuracy: number | undefined;
  readonly validationAccuracy: number | undefined;
  /** Seconds of training. */
  readonly seconds: number;
  /** null if an older version wrote the result without it. */
  readonly at: number | null;
}

/** at: milliseconds since 1970; null for steps before a restart, whose time is unknown. */
export type StepNews = readonly [
  stage: number,
  step: number,
  at: number | null,
  labelledLoss: number,
  unlabelledLoss: number,
  alpha: number,
  counted: number,
  unlabelled: number,
  rows: number,
];

export interface LabelsNews {
  readonly stage: number;
  readonly step: number;
  readonly perClass: readonly number[];
  readonly flips: number;
  readonly meanConfidence: number;
  /** The share of right pseudo-labels, among images with a known label; undefined if there are none. */
  readonly right: number | undefined;
}

export interface ValidationNews {
  readonly stage: number;
  readonly step: number;
  readonly accuracy: number;
}

/** How the networks of an ensemble classify the same images when a stage ends. */
export interface MembersNews {
  readonly stage: number;
  readonly step: number;
  /** The share of the images that all of them put into the same class. */
  readonly agreement: number;
}

/** The same images, unchanged or augmented in one way. */
export interface ViewsNews {
  readonly title: string;
  /** Each is in base64. */
  readonly pngs: readonly string[];
}

/** An image that the model is unsure of. */
export interface UnsureNews {
  readonly name: string;
  /** In base64. */
  readonly png: string;
  readonly label: number;
  /** Its class at the previous look; undefined if it was not looked at before. */
  readonly before: number | undefined;
  /** From 0 to 1. */
  readonly confidence: number;
}

/** What one worker did in the last seconds, as shares of that time. It waited for the rest. */
export interface LaneNews {
  readonly worker: number;
  readonly shares: readonly (readonly [part: string, share: number])[];
}

/** What a node on another machine does now, and what it did in the last seconds, as shares of that time. */
export interface NodeNews {
  readonly name: string;
  readonly doing: NodeActivity | 'gone';
  readonly shares: readonly (readonly [doing: string, share: number])[];
}

/** A node came or went after this step. */
export interface MarkNews {
  readonly stage: number;
  readonly step: number;
  readonly kind: 'joined' | 'gone';
}

export interface News {
  readonly steps: readonly StepNews[];
  readonly labels: readonly LabelsNews[];
  readonly validations: readonly ValidationNews[];
  readonly members: readonly MembersNews[];
  /** at: null if the time is unknown, in a run that is read from its folder. */
  readonly events: readonly { readonly at: number | null; readonly text: string }[];
  readonly lanes: readonly LaneNews[];
  readonly nodes: readonly NodeNews[];
  readonly marks: readonly MarkNews[];
  /** The least sure images first; undefined: no change, or unknown, in a run that is read from its folder. */
  readonly unsure?: readonly UnsureNews[] | undefined;
  readonly state: 'running' | 'ended' | 'failed' | 'interrupted';
  /** Is there if the run has ended, or has been read from its folder. */
  readonly result?: EndNews | undefined;
}

/** One run of a reproduction. */
export interface RunNews {
  /** Its directory within that of the reproduction. A page asks for the run by this name (`/?run=...`). */
  readonly name: string;
  /** stopped: it has begun, and may be resumed. */
  readonly state: 'waiting' | 'running' | 'stopped' | 'ended';
  /** The accuracy on the test images, from 0 to 1. */
  readonly accuracy: number | undefined;
}

/** The table of a reproduction as far as it is known. Accuracies in per cent. */
export interface TableNews {
  /** The split of each run of a row. */
  readonly splits: readonly string[];
  readonly rows: readonly {
    readonly name: string;
    /** undefined if the runs cannot be compared with published figures. */
    readonly paper?: number;
    readonly report?: number;
    /** The mean over the runs that have ended; undefined if none has, or if there are no test images. */
    readonly ours: { readonly accuracy: number; readonly deviation: number | undefined } | undefined;
    readonly runs: readonly RunNews[];
  }[];
  /** The state of the whole reproduction. */
  readonly state: News['state'];
}

export interface Everything extends News {
  readonly info: RunInfo;
  /** Is there if the run is one of several. */
  readonly table?: TableNews | undefined;
}
