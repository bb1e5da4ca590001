/** Where a run is, and the line that goes on with it. */
export interface GoesOn {
  readonly folder: string;
  readonly line: string;
}
export interface Circumstances {
  /** The system has killed a process of our control group meanwhile. */
  readonly isOutOfMemory: boolean;
  readonly limitBytes: number | undefined;
  readonly goesOn: GoesOn | undefined;
}
export function killedLines(signal: NodeJS.Signals, circumstances: Circumstances): string[];
