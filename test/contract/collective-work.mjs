// Does the work that every collective under test is given, in this process or in one of a job (so it is plain
// JavaScript).

const LARGE = 300_000;

/**
 * Does everything that a collective can do, on shared memory.
 * @param {import('../../src/collectives/collective.js').Collective} collective
 * @returns {Promise<import('./collective-work.d.mts').Found>} what came of it at this rank
 */
export async function work(collective) {
  const { rank, size } = collective;
  const memory = new WebAssembly.Memory({ initial: 64, maximum: 64, shared: true });
  let end = 64;
  const bytes = (/** @type {number} */ length) => {
    end += length + (-length & 63);
    return new Uint8Array(memory.buffer, end - length - (-length & 63), length);
  };
  const floats = (/** @type {number} */ length) =>
    new Float32Array(memory.buffer, bytes(4 * length).byteOffset, length);

  const told = [bytes(1), bytes(LARGE)];
  for (const [i, array] of told.entries()) {
    if (rank === 0) array.fill(7 + i);
    await collective.broadcast(array);
  }

  const others = Array.from({ length: size }, (_, r) => r).filter((r) => r !== rank);
  const lengths = [3, LARGE];
  const receives = others.flatMap((other) => lengths.map((length) => ({ rank: other, bytes: bytes(length) })));
  /** Made only when it is asked for. */
  function* sends() {
    for (const other of others) {
      for (const [i, length] of lengths.entries()) {
        yield { rank: other, bytes: bytes(length).fill(100 * i + 10 * rank + other) };
      }
    }
  }
  await collective.exchange(sends(), receives);
  await collective.exchange(rank === 0 ? [] : [{ rank: 0, bytes: Uint8Array.of(rank) }], []);
  const gathered = rank === 0 ? others.map((other) => ({ rank: other, bytes: bytes(1) })) : [];
  await collective.exchange([], gathered);

  const sums = [floats(1), floats(LARGE / 4)];
  for (const values of sums) {
    values.fill(rank + 1);
    await collective.sum(values);
  }
  const same = (/** @type {Uint8Array | Float32Array} */ array) =>
    array.every((value) => value === array[0]) ? array[0] : 'mixed';
  return {
    rank,
    size,
    told: told.map(same),
    exchanged: receives.map((piece) => [piece.rank, piece.bytes.length, same(piece.bytes)]),
    gathered: gathered.map((piece) => same(piece.bytes)),
    sums: sums.map(same),
  };
}
