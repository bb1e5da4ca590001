// Owns the comparison of the nodes' parameters with those here: replicas that drift apart end the run.
import { sha256OfParameters } from '../../../src/checksum.js';
import { type Arena, floats } from '../../../src/engine/arena.js';
import { drifted } from '../failures.js';
import { MemberLost } from './member.js';
import type { RemoteNode } from './remote-node.js';

/** Of so many parameters, after a step. One that is lost meanwhile has not drifted. Throws E_DRIFT. */
export async function checkAlike(
  arena: Arena,
  parameters: number,
  nodes: readonly RemoteNode[],
  step: number,
): Promise<void> {
  const expected = sha256OfParameters(floats(arena, 'parameters', parameters));
  const differing = await Promise.all(
    nodes
      .filter(({ isAvailable }) => isAvailable)
      .map(async ({ name, updates }) => {
        const found = await updates.checksum(parameters).catch((error: unknown) => {
          if (error instanceof MemberLost) return expected;
          throw error;
        });
        return found === expected ? [] : [name];
      }),
  );
  const names = differing.flat();
  if (names.length > 0) throw drifted(names, "the coordinator's", step);
}
