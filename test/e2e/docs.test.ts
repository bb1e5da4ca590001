// Tests the commands of README.md and docs/ unchanged in a shell, block by block, in one folder for each text. Flags
// are added to make trainings small.
import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { blocksOf, ROOT, TEXTS } from '../docs.js';
import { folderOfFile } from '../folders.js';

const root = folderOfFile('docs');
const run = promisify(execFile);

/** Shell functions in place of the program. They add flags that make a command small and let several run at once. */
const SHELL = `
set -e
pseudolabel() {
  local command="$1" words=() word small=()
  shift
  for word in "$@"; do if [ "$word" = --dashboard ]; then words+=(--dashboard 0); else words+=("$word"); fi; done
  case "$command $*" in
    *--resume*|*--max-steps*) ;;
    train*|reproduce*|sweep*) small=(--max-steps 20) ;;
    scaling*) small=(--repeats 1 --steps 2 --hidden 64) ;;
  esac
  case "$command $*" in
    *--resume*|*--model*|*--hidden*|*--stages*) ;;
    train*|reproduce*|sweep*) small+=(--hidden 64) ;;
  esac
  node "${ROOT}scripts/pseudolabel.mjs" "$command" "\${words[@]}" "\${small[@]}"
}
npm() {
  if [ "$1 $2 $3 $4" != "run -s pseudolabel --" ]; then echo "not run here: npm $*" >&2; return 1; fi
  shift 4
  pseudolabel "$@"
}
npx() { "$@"; }
`;

const RUN = TEXTS.map((each) => ({ path: each.path, blocks: blocksOf(each).filter(({ reason }) => !reason) })).filter(
  ({ blocks }) => blocks.length > 0,
);

describe.each(RUN)('the commands of $path', ({ path, blocks }) => {
  it('run as they stand', { timeout: 900_000 }, async () => {
    const folder = join(root, path.replace('/', '-'));
    mkdirSync(folder, { recursive: true });
    symlinkSync(join(ROOT, 'examples'), join(folder, 'examples'));
    for (const { line, text } of blocks) {
      const env = { ...process.env, XDG_STATE_HOME: join(root, 'state'), XDG_CACHE_HOME: join(root, 'cache') };
      const ended = await run('bash', ['-c', SHELL + text], { cwd: folder, env, maxBuffer: 2 ** 26 }).catch(
        (error: { readonly stderr: string }) => error,
      );
      expect('code' in ended ? ended.stderr : '', `${path}:${line}:\n${text}`).toBe('');
    }
  });
});
