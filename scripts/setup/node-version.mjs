// The oldest Node this project runs on, said before anything newer is used.

const OLDEST = /** @type {const} */ ([20, 15]);

/** Whether this Node is new enough. */
export function nodeReady() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
}

export const NODE_TOO_OLD = `Node ${OLDEST.join('.')} or later is needed; this is ${process.versions.node}`;
