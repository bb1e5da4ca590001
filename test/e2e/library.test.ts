// Tests the library in processes of its own, imported by the name of the package, in an environment without
// preparation.
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { folderOfFile } from '../folders.js';
import { ROOT, run, script } from './bare-process.js';
import { pseudolabel, resultOf } from './command.js';

const folder = folderOfFile('library-processes');

it('the example ends on the bits of the command line, and prints nothing of its own', async () => {
  const { stdout, stderr } = await run(process.execPath, ['examples/train.mjs']);
  expect(stderr).toBe('');
  const out = join(folder, 'command-line');
  await pseudolabel('train', '--model', 'dense:96', '--quick', '--workers', '1', '--out', out);
  const { weightsSha256, testAccuracy } = await resultOf(out);
  expect(stdout.trimEnd().split('\n').at(-1)).toBe(
    `76330 parameters, accuracy ${testAccuracy}, SHA-256 ${weightsSha256}`,
  );
});

it("a program's variables that would change the bits have no effect, and nothing is left behind by two runs", async () => {
  const { stdout, stderr } = await script(
    `import { train } from 'pseudolabel';
     const listeners = () => JSON.stringify(process.eventNames().map((name) => [String(name), process.listenerCount(name)]));
     const resources = () => process.getActiveResourcesInfo().filter((name) => !/^(CloseReq|PipeWrap)$/.test(name)); // of stdout
     const shas = [];
     let before;
     for (let n = 0; n < 3; n++) {
       shas.push((await train({ hidden: 32, maxSteps: 10, workers: 2 }).result).weightsSha256);
       await new Promise(setImmediate);
       before ??= listeners(); // piscina and tfjs-node have theirs from when they are loaded
       if (listeners() !== before) throw new Error(before + ' became ' + listeners());
     }
     console.log(JSON.stringify({ shas, resources: resources() }));`,
    ROOT,
    { TF_NUM_INTRAOP_THREADS: '4', TF_ENABLE_ONEDNN_OPTS: '0' },
  );
  expect(stderr).toBe('');
  const { shas, resources } = JSON.parse(stdout) as { shas: string[]; resources: string[] };
  expect(new Set(shas).size).toBe(1);
  expect(resources).toEqual([]);
  const out = join(folder, 'same');
  await pseudolabel('train', '--hidden', '32', '--max-steps', '10', '--out', out);
  expect((await resultOf(out)).weightsSha256).toBe(shas[0]);
});

/** An expression for whether a process has TensorFlow in its memory; false if the system is not Linux. */
const LOADED = `process.platform === 'linux' && (await import('node:fs')).readFileSync('/proc/self/maps', 'utf8').includes('libtensorflow')`;

/** A program that coordinates two runs, and two programs that are nodes of both, each in a process of its own. */
const COORDINATOR = `
  import { spawn } from 'node:child_process';
  import { listen, train } from 'pseudolabel';
  const coordinator = await listen({ tokenFile: process.env.TOKEN });
  const { address, fingerprint, tokenFile } = coordinator;
  const env = { ...process.env, JOIN: JSON.stringify([address, { tokenFile, fingerprint, workers: 1 }]) };
  const ended = [1, 2].map(async () => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', process.env.NODE], { env, stdio: ['ignore', 'pipe', 'inherit'] });
    let said = '';
    for await (const text of child.stdout) said += text;
    return said;
  });
  const runs = [];
  for (const local of [true, false]) {
    const run = train({ hidden: 32, maxSteps: 10, workers: 1, strategy: 'data', coordinator, nodes: 2, nodesTimeout: 60, local });
    const kinds = new Set();
    for await (const event of run) kinds.add(event.kind);
    runs.push({ sha: (await run.result).weightsSha256, kinds: [...kinds] });
  }
  const said = await Promise.all(ended);
  coordinator.close();
  await new Promise((resolve) => setTimeout(resolve, 50));
  const resources = process.getActiveResourcesInfo().filter((name) => !/^(CloseReq|PipeWrap)$/.test(name));
  console.log(JSON.stringify({ runs, said, resources }));`;
const NODE = `
  import { joinAsNode } from 'pseudolabel';
  const [address, options] = JSON.parse(process.env.JOIN);
  for (let n = 0; n < 2; n++) {
    const node = joinAsNode(address, options);
    for await (const event of node) console.log(event.kind);
    console.log(await node.result);
  }
  const leave = new AbortController();
  leave.abort();
  console.log(await joinAsNode(address, { ...options, signal: leave.signal }).result);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const resources = process.getActiveResourcesInfo().filter((name) => !/^(CloseReq|PipeWrap)$/.test(name));
  console.log(JSON.stringify(resources));
  console.log(${LOADED});`;

it('a program coordinates nodes that are programs, one run after another, to the bits of threads, and leaves nothing behind', async () => {
  const { stdout, stderr } = await script(COORDINATOR, ROOT, { NODE, TOKEN: join(folder, 'token') });
  expect(stderr).toBe('');
  const { runs, said, resources } = JSON.parse(stdout) as {
    runs: { sha: string; kinds: string[] }[];
    said: string[];
    resources: string[];
  };
  const out = join(folder, 'alone');
  await pseudolabel(
    'train',
    ...['--hidden', '32', '--max-steps', '10', '--strategy', 'data', '--shards', '4', '--out', out],
  );
  const { weightsSha256 } = await resultOf(out);
  expect(runs.map(({ sha }) => sha)).toEqual([weightsSha256, weightsSha256]);
  for (const { kinds } of runs) expect(kinds).toEqual(expect.arrayContaining(['joined', 'start', 'stage', 'step']));
  for (const text of said)
    expect(text.trim().split('\n')).toEqual(['joined', 'finished', 'joined', 'finished', 'left', '[]', 'false']);
  expect(resources).toEqual([]);
});

it('TensorFlow.js before pseudolabel is refused with what to do, unless its environment is that of a run', async () => {
  const source = `
    import '@tensorflow/tfjs-node';
    const { train } = await import('pseudolabel');
    await train({ hidden: 32, maxSteps: 2 }).result.catch(({ code, fix }) => console.log(code, fix));`;
  expect((await script(source)).stdout).toMatch(/^E_NATIVE import pseudolabel before @tensorflow\/tfjs-node, or /);
  const pinned = { TF_NUM_INTRAOP_THREADS: '1', TF_NUM_INTEROP_THREADS: '1', TF_ENABLE_ONEDNN_OPTS: '1' };
  expect((await script(source, ROOT, pinned)).stdout).toBe('');
});
