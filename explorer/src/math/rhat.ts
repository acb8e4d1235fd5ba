/** Rank-normalized split R-hat (Vehtari et al. 2021): 1 where chains have mixed. */

import { mean, type Numbers, zeros } from "./vectors.ts";

/** The quantile of N(0, 1), 1e-10 < p < 1 - 1e-10, by rational functions (Wichura 1988). */
export function normalQuantile(p: number): number {
  const q = p - 0.5;
  if (Math.abs(q) <= 0.425) return q * ratio(MIDDLE, 0.180625 - q * q);
  const r = Math.sqrt(-Math.log(Math.min(p, 1 - p)));
  return Math.sign(q) * ratio(TAIL, r - 1.6);
}

const MIDDLE = [
  [3.387132872796366608, 133.14166789178437745, 1971.5909503065514427, 13731.693765509461125,
    45921.953931549871457, 67265.770927008700853, 33430.575583588128105, 2509.0809287301226727],
  [1, 42.313330701600911252, 687.1870074920579083, 5394.1960214247511077, 21213.794301586595867,
    39307.89580009271061, 28729.085735721942674, 5226.495278852854561],
];
const TAIL = [
  [1.42343711074968357734, 4.6303378461565452959, 5.7694972214606914055, 3.64784832476320460504,
    1.27045825245236838258, 0.24178072517745061177, 0.0227238449892691845833,
    7.7454501427834140764e-4],
  [1, 2.05319162663775882187, 1.6763848301838038494, 0.68976733498510000455,
    0.14810397642748007459, 0.0151986665636164571966, 5.475938084995344946e-4,
    1.05075007164441684324e-9],
];

function ratio([above, below]: number[][], r: number): number {
  const polynomial = (c: number[]): number => c.reduceRight((total, each) => total * r + each, 0);
  return polynomial(above) / polynomial(below);
}

/** Φ⁻¹((rank - 3/8) / (N + 1/4)); ties share their mean rank. */
export function normalScores(values: Numbers): Numbers {
  const n = values.length;
  const order = Uint32Array.from(values, (_, i) => i).sort((a, b) => values[a] - values[b]);
  const scores = zeros(n);
  for (let from = 0, to = 0; from < n; from = to) {
    while (to < n && values[order[to]] === values[order[from]]) to++;
    const score = normalQuantile(((from + to + 1) / 2 - 0.375) / (n + 0.25));
    for (let i = from; i < to; i++) scores[order[i]] = score;
  }
  return scores;
}

function scaleReduction(scores: Numbers, chains: number): number {
  const n = scores.length / chains;
  const means = zeros(chains);
  let within = 0;
  for (let c = 0; c < chains; c++) {
    const own = scores.subarray(c * n, (c + 1) * n);
    means[c] = mean(own);
    within += variance(own) / chains;
  }
  return Math.sqrt(variance(means) / within + (n - 1) / n);
}

function variance(values: Numbers): number {
  const middle = mean(values);
  let total = 0;
  for (const value of values) total += (value - middle) ** 2;
  return total / (values.length - 1);
}

/** R-hat of one coordinate of chains of equal length, at least 4 draws each. */
export function rhat(chains: readonly ArrayLike<number>[]): number {
  const half = Math.floor(chains[0].length / 2);
  const all = zeros(2 * half * chains.length);
  chains.forEach((chain, c) => {
    for (let i = 0; i < half; i++) {
      all[2 * c * half + i] = chain[i];
      all[(2 * c + 1) * half + i] = chain[chain.length - half + i];
    }
  });
  const sorted = all.slice().sort();
  if (sorted[0] === sorted[sorted.length - 1]) return Number.NaN;
  const middle = Math.floor(sorted.length / 2);
  const median = 0.5 * (sorted[middle - 1] + sorted[middle]);
  const bulk = scaleReduction(normalScores(all), 2 * chains.length);
  const tail = scaleReduction(normalScores(all.map((a) => Math.abs(a - median))), 2 * chains.length);
  return Number.isNaN(tail) ? bulk : Math.max(bulk, tail);
}
