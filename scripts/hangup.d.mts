/** What can be seen of how a process was started. */
export interface Traces {
  readonly env: NodeJS.ProcessEnv;
  readonly parent: number;
  readonly read: (path: string) => string;
  readonly isNull: (descriptor: number) => boolean;
}
export function ignoresHangup(traces?: Traces): boolean;
