// Computes the quantiles of the standard normal distribution, which noise is drawn from.

/**
 * Returns n equally likely values of N(0, 1), scaled to variance 1. They are the inverse distribution function at (i +
 * 1/2) / n, found by bisection on the series of the error function. Only basic arithmetic and exp are used, so that
 * every machine has the same table.
 */
export function normalQuantiles(n: number): Float32Array {
  const quantiles = new Float64Array(n);
  let below = 0;
  for (let i = n >> 1; i < n; i++) {
    const target = (i + 0.5) / n;
    let low = below;
    let high = 6;
    for (let step = 0; step < 40; step++) {
      const middle = (low + high) / 2;
      if (distribution(middle) < target) low = middle;
      else high = middle;
    }
    below = low;
    quantiles[i] = low;
    quantiles[n - 1 - i] = -low;
  }
  const variance = quantiles.reduce((sum, value) => sum + value * value, 0) / n;
  return Float32Array.from(quantiles, (value) => value / Math.sqrt(variance));
}

/** Returns P(N(0, 1) <= x) for x >= 0: 1/2 + density(x) * (x + x^3/3 + x^5/(3 * 5) + ...) (Marsaglia 2004). */
function distribution(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 3; term > 1e-17 * sum; k += 2) {
    term *= (x * x) / k;
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
}
