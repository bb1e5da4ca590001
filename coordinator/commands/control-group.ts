// Reads how much memory a control group leaves to this process: containers, batch systems and services limit programs
// by one. Only Linux has them. The launcher (scripts/pseudolabel.mjs) loads this file, so it imports nothing of ours.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The text of a file. Throws where it is not there. */
type Read = (path: string) => string;

/** The files of a version's groups. */
interface Version {
  readonly root: string;
  readonly limit: string;
  /** With a line `oom_kill N`. */
  readonly events: string;
}

const VERSION_2: Version = { root: '/sys/fs/cgroup', limit: 'memory.max', events: 'memory.events' };
const VERSION_1: Version = {
  root: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  events: 'memory.oom_control',
};

export interface ControlGroup {
  /** The lowest limit of the group and of those above it; undefined: none is set. */
  readonly limitBytes: number | undefined;
  /** Processes of the group that the system has killed for lack of memory. */
  readonly kills: number;
}

/** @param memory bytes of the machine: a limit from there on is none */
export function controlGroup(memory: number, read: Read = (path) => readFileSync(path, 'utf8')): ControlGroup {
  const groups = ownGroups(read);
  const limits = groups.flatMap(({ folders, version }) =>
    folders.map((folder) => numberIn(read, folder, version.limit)),
  );
  const kills = groups.map(({ folders, version }) => numberIn(read, folders[0]!, version.events, /^oom_kill (\d+)$/m));
  const limit = Math.min(...limits.map((each) => each ?? Number.POSITIVE_INFINITY));
  return { limitBytes: limit < memory ? limit : undefined, kills: Math.max(0, ...kills.map((each) => each ?? 0)) };
}

/** The folders of this process's groups of memory: its own, and those above. */
function ownGroups(read: Read): { readonly version: Version; readonly folders: readonly string[] }[] {
  return (textOf(read, '/proc/self/cgroup') ?? '')
    .split('\n')
    .flatMap((line) => {
      const [, controllers = '', path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      const isOne = controllers.split(',').includes('memory');
      if (path === undefined || (controllers !== '' && !isOne)) return [];
      const version = isOne ? VERSION_1 : VERSION_2;
      const parts = path.split('/').filter((part) => part !== '');
      // In a container the path may be the one outside: its own group is then the root.
      const folders = parts.map((_, above) => join(version.root, ...parts.slice(0, parts.length - above)));
      return [
        { version, folders: [...folders, version.root].filter((each) => textOf(read, join(each, version.limit))) },
      ];
    })
    .filter(({ folders }) => folders.length > 0);
}

function numberIn(read: Read, folder: string, name: string, line = /^(\d+)$/m): number | undefined {
  const [, digits] = line.exec(textOf(read, join(folder, name)) ?? '') ?? [];
  return digits === undefined ? undefined : Number(digits);
}

function textOf(read: Read, path: string): string | undefined {
  try {
    return read(path);
  } catch {
    return undefined;
  }
}
