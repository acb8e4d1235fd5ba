/** Sums over rows of numbers: points lie one after another, (n, d) in one array. */

export type Numbers = Float64Array;

export const zeros = (n: number): Numbers => new Float64Array(n);

export function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i];
  return total;
}

export const mean = (values: ArrayLike<number>): number => sum(values) / values.length;

/** log Σ exp(v), about the largest, so that nothing overflows. */
export function logSumExp(values: ArrayLike<number>): number {
  let top = -Infinity;
  for (let i = 0; i < values.length; i++) top = Math.max(top, values[i]);
  if (!Number.isFinite(top)) return top;
  let total = 0;
  for (let i = 0; i < values.length; i++) total += Math.exp(values[i] - top);
  return top + Math.log(total);
}

/** exp(v) / Σ exp(v). */
export function softmax(values: ArrayLike<number>): Numbers {
  const level = logSumExp(values);
  return Float64Array.from(values, (value) => Math.exp(value - level));
}

/** log(1 + exp(a)). */
export const softplus = (a: number): number => Math.max(a, 0) + Math.log1p(Math.exp(-Math.abs(a)));

export const sigmoid = (a: number): number => 1 / (1 + Math.exp(-a));

export const clamp = (a: number, low: number, high: number): number =>
  Math.min(high, Math.max(low, a));
