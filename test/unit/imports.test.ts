// Tests the rule of the folders: src does not import worker, worker does not import coordinator, and there are no
// cycles.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const KERNEL_SOURCES = 'src/engine/kernel/assembly/'; // another language, which knows no extensions

const files = ['src', 'worker', 'coordinator'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile() && item.name.endsWith('.ts'))
    .map((item) => relative(ROOT, join(item.parentPath, item.name)))
    .filter((path) => !path.startsWith(KERNEL_SOURCES)),
);

interface Import {
  readonly name: string;
  /** Whether the import is gone after compilation. */
  readonly isType: boolean;
  /** Whether `import()` loads it when it is needed. */
  readonly isLate: boolean;
}

/** Returns what a file's imports, its `export ... from` and its `import()` name. */
function importsOf(path: string): Import[] {
  const source = readFileSync(join(ROOT, path), 'utf8');
  const all = source.matchAll(
    /^(?:import|export)(?<type> type)?\b[^;]*?\bfrom '(?<from>[^']+)';|^import '(?<bare>[^']+)';|\bimport\('(?<late>[^']+)'\)/gm,
  );
  return Array.from(all, ({ groups }) => ({
    name: (groups!.from ?? groups!.bare ?? groups!.late)!,
    isType: groups!.type !== undefined,
    isLate: groups!.late !== undefined,
  }));
}

/** Returns the files of ours that a file imports. */
function targetsOf(path: string, types: boolean): string[] {
  return importsOf(path)
    .filter(({ name, isType }) => name.startsWith('.') && (types || !isType))
    .map(({ name }) => join(dirname(path), name).replace(/\.js$/, '.ts'));
}

/** Returns the packages that are loaded with a file, by itself or by the files of ours that it imports. */
function packagesWith(path: string, seen = new Set<string>()): string[] {
  if (seen.has(path)) return [];
  seen.add(path);
  const early = importsOf(path).filter(({ isType, isLate }) => !isType && !isLate);
  return early.flatMap(({ name }) =>
    name.startsWith('.') ? packagesWith(join(dirname(path), name).replace(/\.js$/, '.ts'), seen) : [name],
  );
}

/** Returns imports from files in `from` to files in `to`, as 'a -> b'. */
function between(from: string, to: string): string[] {
  return files
    .filter((path) => path.startsWith(from))
    .flatMap((path) => targetsOf(path, true).map((target) => [path, target] as const))
    .filter(([, target]) => target.startsWith(to))
    .map((way) => way.join(' -> '));
}

/** Returns a way from one of these back to itself, or nothing if there is none. */
function cycleOf(all: readonly string[], next: (from: string) => readonly string[]): string[] {
  const done = new Set<string>();
  const visit = (from: string, trail: readonly string[]): string[] => {
    if (trail.includes(from)) return [...trail.slice(trail.indexOf(from)), from];
    if (done.has(from)) return [];
    done.add(from);
    for (const target of next(from)) {
      const found = visit(target, [...trail, from]);
      if (found.length > 0) return found;
    }
    return [];
  };
  return all.map((each) => visit(each, [])).find((found) => found.length > 0) ?? [];
}

/** Returns 'src/models' for all files in that folder. A file that is in no folder stands for itself. */
const folderOf = (path: string): string => path.split('/').slice(0, 2).join('/');

const targetsOfFolder = (folder: string): string[] => [
  ...new Set(
    files
      .filter((path) => folderOf(path) === folder)
      .flatMap((path) => targetsOf(path, true).map(folderOf))
      .filter((target) => target !== folder),
  ),
];

describe('imports', () => {
  it('are all seen by this test, and lead to files that are there', () => {
    for (const path of files) {
      const source = readFileSync(join(ROOT, path), 'utf8');
      expect(importsOf(path).length, path).toBe(source.match(/\bfrom '|\bimport '|\bimport\('/g)?.length ?? 0);
      for (const target of targetsOf(path, true)) expect(files, `${path} -> ${target}`).toContain(target);
    }
    expect(targetsOf('coordinator/train.ts', false)).toContain('src/models/models.ts');
    expect(targetsOf('coordinator/train.ts', false)).not.toContain('src/models/tasks.ts');
  });

  it.each([
    ['src/', 'worker/'],
    ['src/', 'coordinator/'],
    ['worker/', 'coordinator/'],
    // MPI runs without a cluster, and nodes are hosted without a server.
    ['coordinator/executors/mpi/', 'coordinator/executors/cluster/'],
  ])('of %s lead to nothing in %s', (from, to) => {
    expect(between(from, to)).toEqual([]);
  });

  // A program can do what the command line does, because both call the library.
  it('of commands lead to no run but over the library: what composes one is for it alone', () => {
    const composing = ['compose.ts', 'runs/run.ts', 'predictor.ts'].map((name) => `coordinator/${name}`);
    const importers = (target: string) => files.filter((path) => targetsOf(path, false).includes(target));
    expect(composing.map(importers)).toEqual([
      [
        'coordinator/library/workers.ts',
        // These files measure the parts of a run one by one, and train no run.
        ...['bench.ts', 'cluster-group.ts', 'mpi-group.ts'].map((name) => `coordinator/scaling/${name}`),
      ],
      ['coordinator/library/workers.ts'],
      ['coordinator/classifier.ts'], // for `label` and `evaluate`
    ]);
    for (const threads of ['worker/thread-executor.ts', 'worker/node-host.ts', 'coordinator/dispatcher.ts'])
      expect(importers(threads).filter((path) => path.startsWith('coordinator/commands/'))).toEqual([]);
  });

  it('never lead from a folder over others back to it; what is in its own folders belongs to it', () => {
    expect(cycleOf([...new Set(files.map(folderOf))], (folder) => targetsOfFolder(folder))).toEqual([]);
  });

  it('never lead back to where they began, not even those of types', () => {
    expect(cycleOf(files, (path) => targetsOf(path, false))).toEqual([]);
    expect(cycleOf(files, (path) => targetsOf(path, true))).toEqual([]);
  });

  // ECharts alone has 600 modules, which take as long as all else that a command loads.
  it('load what draws charts with the first chart, not with the command', () => {
    expect(packagesWith('coordinator/cli.ts').filter((name) => name.startsWith('echarts'))).toEqual([]);
    expect(packagesWith('coordinator/report.ts').filter((name) => name.startsWith('echarts'))).not.toEqual([]);
  });

  it('take nothing from a package but what package.json names', () => {
    const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
    };
    const packages = files.flatMap((path) =>
      importsOf(path)
        .map(({ name }) => name)
        .filter((name) => !/^(\.|node:|#)/.test(name)) // #: a file of ours that package.json names
        .map((name) =>
          name
            .split('/')
            .slice(0, name.startsWith('@') ? 2 : 1)
            .join('/'),
        ),
    );
    expect([...new Set(packages)].filter((name) => !(name in { ...dependencies, ...optionalDependencies }))).toEqual(
      [],
    );
  });
});
