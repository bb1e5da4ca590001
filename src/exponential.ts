// The exponential function and the logarithm by sums and products alone. Those of Math have different bits in different
// versions of V8, and what workers compute must not.

const LN2_HIGH = 0.6931471803691238; // fdlibm's: its last 21 bits are 0, so that its products with small whole numbers are exact
const LN2_LOW = 1.9082149292705877e-10;
/** Below this, the result is 0 as a float. */
const LEAST = -104;
const TERMS = 14;

/** Returns e^x for x from -104 to 88, within a few units in the last place of a double, and 0 below. NaN stays NaN. */
export function exponential(x: number): number {
  if (x < LEAST) return 0;
  const halvings = Math.round(x / Math.LN2);
  const rest = x - halvings * LN2_HIGH - halvings * LN2_LOW;
  let sum = 1;
  for (let n = TERMS; n > 0; n--) sum = 1 + (sum * rest) / n;
  const factor = halvings < 0 ? 0.5 : 2;
  for (let n = Math.abs(halvings); n > 0; n--) sum *= factor;
  return sum;
}

/** The terms of the series of log((1 + s) / (1 - s)), for s up to 0.18. */
const LOGARITHM_TERMS = 12;

/** Returns log(x) for x from 1e-300 to 1e300, within a few units in the last place of a double. */
export function logarithm(x: number): number {
  let doublings = 0;
  let rest = x;
  for (; rest > Math.SQRT2; rest *= 0.5) doublings++;
  for (; rest < Math.SQRT1_2; rest *= 2) doublings--;
  const s = (rest - 1) / (rest + 1);
  let sum = 0;
  for (let n = LOGARITHM_TERMS; n >= 0; n--) sum = sum * s * s + 2 / (2 * n + 1);
  return doublings * LN2_HIGH + (sum * s + doublings * LN2_LOW);
}
