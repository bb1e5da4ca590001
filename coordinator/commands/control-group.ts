// Reads how much memory a control group leaves to this process. Containers, batch systems and services limit programs
// by control groups. Only Linux has them. The launcher (scripts/pseudolabel.mjs) loads this file, so it imports no
// other file of the program.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Returns the text of a file. Throws if there is no such file. */
type Read = (path: string) => string;

/** The names of the files of control groups, in one version of them. */
interface Version {
  readonly root: string;
  readonly limit: string;
  /** A file with a line `oom_kill N`. */
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
  /** The number of processes of the group that the system has killed for lack of memory. */
  readonly kills: number;
}

/**
 * Reads the control group of this process.
 * @param memory bytes of the machine; a limit that is not below this counts as none
 */
export function controlGroup(memory: number, read: Read = (path) => readFileSync(path, 'utf8')): ControlGroup {
  const groups = ownGroups(read);
  const limits = groups.flatMap(({ folders, version }) =>
    folders.map((folder) => numberIn(read, folder, version.limit)),
  );
  const kills = groups.map(({ folders, version }) => numberIn(read, folders[0]!, version.events, /^oom_kill (\d+)$/m));
  const limit = Math.min(...limits.map((each) => each ?? Number.POSITIVE_INFINITY));
  return { limitBytes: limit < memory ? limit : undefined, kills: Math.max(0, ...kills.map((each) => each ?? 0)) };
}

/** Returns the folders of the memory groups of this process: its own group, and those above it. */
function ownGroups(read: Read): { readonly version: Version; readonly folders: readonly string[] }[] {
  return (textOf(read, '/proc/self/cgroup') ?? '')
    .split('\n')
    .flatMap((line) => {
      const [, controllers = '', path] = /^\d+:([^:]*):(\/.*)$/.exec(line) ?? [];
      const isOne = controllers.split(',').includes('memory');
      if (path === undefined || (controllers !== '' && !isOne)) return [];
      const version = isOne ? VERSION_1 : VERSION_2;
      const parts = path.split('/').filter((part) => part !== '');
      // In a container this may be the path outside of it. Its own group is then the root.
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
