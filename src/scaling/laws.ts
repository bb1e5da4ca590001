// The laws of speed-up: the serial share that explains a measured speed-up, and the curves that are fitted to several.
/** The speed-up S of N workers over one. */
export interface Point {
  readonly workers: number;
  readonly speedUp: number;
}

/**
 * Returns the serial share that explains one speed-up (Karp and Flatt, CACM 33(5), 1990), or undefined for one worker.
 */
export function karpFlatt({ workers, speedUp }: Point): number | undefined {
  return workers === 1 ? undefined : (1 / speedUp - 1 / workers) / (1 - 1 / workers);
}

/** S = N / (1 + sigma (N - 1)): a share sigma of the work is serial (Amdahl 1967; the law below with kappa = 0). */
export interface AmdahlFit {
  readonly kind: 'amdahl';
  readonly sigma: number;
  /** The root of the mean squared relative error of S. */
  readonly error: number;
  /** The limit of S; undefined if S grows without limit. */
  readonly limit: number | undefined;
}

/** S = N / (1 + sigma (N - 1) + kappa N (N - 1)) (Gunther, "Guerrilla Capacity Planning", 2007, chapter 4). */
export interface UniversalFit {
  readonly kind: 'universal';
  readonly sigma: number;
  readonly kappa: number;
  readonly error: number;
  /** The whole number of workers with the largest S; undefined if S never falls. */
  readonly bestWorkers: number | undefined;
}

/**
 * Means that there are too few points: a law with as many parameters as points fits them all, so that its error would
 * say nothing.
 */
export interface Undetermined {
  readonly kind: 'undetermined';
  /** The number of different counts of workers above one that are needed, and that there are. */
  readonly needs: number;
  readonly has: number;
}

export const speedUpOf = (workers: number, sigma: number, kappa: number): number =>
  workers / (1 + sigma * (workers - 1) + kappa * workers * (workers - 1));

/** Fits by least squares of N / S - 1 = sigma (N - 1); sigma is not below 0. */
export function fitAmdahl(points: readonly Point[]): AmdahlFit | Undetermined {
  const lacking = undeterminedBy(points, 2);
  if (lacking) return lacking;
  const { cost, others } = transformed(points);
  const sigma = Math.max(0, dot(others, cost) / dot(others, others));
  return { kind: 'amdahl', sigma, error: errorOf(points, sigma, 0), limit: sigma > 0 ? 1 / sigma : undefined };
}

/** Fits by least squares of N / S - 1 = sigma (N - 1) + kappa N (N - 1), neither below 0. */
export function fitUniversal(points: readonly Point[]): UniversalFit | Undetermined {
  const lacking = undeterminedBy(points, 3);
  if (lacking) return lacking;
  const { cost, others, blocks } = transformed(points);
  const [oo, op, pp] = [dot(others, others), dot(others, blocks), dot(blocks, blocks)];
  const [oc, pc] = [dot(others, cost), dot(blocks, cost)];
  const determinant = oo * pp - op * op;
  let sigma = (oc * pp - pc * op) / determinant;
  let kappa = (pc * oo - oc * op) / determinant;
  // A convex function over a quadrant has its minimum on an edge if the minimum without bounds is outside.
  if (sigma < 0 || kappa < 0) [sigma, kappa] = bestOnEdge(points, Math.max(0, oc / oo), Math.max(0, pc / pp));
  return { kind: 'universal', sigma, kappa, error: errorOf(points, sigma, kappa), bestWorkers: best(sigma, kappa) };
}

/** Returns the edge with the smaller sum of squares. */
function bestOnEdge(points: readonly Point[], sigma: number, kappa: number): [sigma: number, kappa: number] {
  const { cost, others, blocks } = transformed(points);
  const squares = (s: number, k: number) =>
    cost.reduce((sum, each, i) => sum + (each - s * others[i]! - k * blocks[i]!) ** 2, 0);
  return squares(sigma, 0) <= squares(0, kappa) ? [sigma, 0] : [0, kappa];
}

/**
 * Returns the whole number with the largest S. S is largest at N = sqrt((1 - sigma) / kappa), which is seldom whole.
 */
function best(sigma: number, kappa: number): number | undefined {
  if (kappa === 0) return undefined;
  const below = Math.max(1, Math.floor(Math.sqrt(Math.max(0, 1 - sigma) / kappa)));
  return speedUpOf(below + 1, sigma, kappa) > speedUpOf(below, sigma, kappa) ? below + 1 : below;
}

/** Returns the terms in which both laws are linear, for the points above one worker (which lies on every curve). */
function transformed(points: readonly Point[]): { cost: number[]; others: number[]; blocks: number[] } {
  const several = points.filter(({ workers }) => workers > 1);
  return {
    cost: several.map(({ workers, speedUp }) => workers / speedUp - 1),
    others: several.map(({ workers }) => workers - 1),
    blocks: several.map(({ workers }) => workers * (workers - 1)),
  };
}

function undeterminedBy(points: readonly Point[], needs: number): Undetermined | undefined {
  const has = new Set(points.map(({ workers }) => workers).filter((workers) => workers > 1)).size;
  return has < needs ? { kind: 'undetermined', needs, has } : undefined;
}

function errorOf(points: readonly Point[], sigma: number, kappa: number): number {
  const several = points.filter(({ workers }) => workers > 1);
  const squares = several.map(({ workers, speedUp }) => (speedUpOf(workers, sigma, kappa) / speedUp - 1) ** 2);
  return Math.sqrt(squares.reduce((sum, each) => sum + each, 0) / several.length);
}

const dot = (a: readonly number[], b: readonly number[]): number => a.reduce((sum, each, i) => sum + each * b[i]!, 0);
