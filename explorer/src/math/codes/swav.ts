/** Assignment: a view's code predicts the cluster of the other's; clusters get equal shares. */

import { logSumExp, type Numbers, softmax, zeros } from "../vectors.ts";
import { normalized } from "./plane.ts";

/** Q ∝ exp(s / ε), columns then rows made equal, `iterations` times; rows (n, K) sum to 1. */
export function sinkhorn(scores: Numbers, clusters: number, epsilon = 0.05, iterations = 3): Numbers {
  const n = scores.length / clusters;
  const logs = scores.map((s) => s / epsilon);
  const column = zeros(n);
  for (let round = 0; round < iterations; round++) {
    for (let k = 0; k < clusters; k++) {
      for (let i = 0; i < n; i++) column[i] = logs[i * clusters + k];
      const level = logSumExp(column);
      for (let i = 0; i < n; i++) logs[i * clusters + k] -= level;
    }
    for (let i = 0; i < n; i++) {
      const row = logs.subarray(i * clusters, (i + 1) * clusters);
      const level = logSumExp(row);
      for (let k = 0; k < clusters; k++) row[k] -= level;
    }
  }
  return logs.map(Math.exp);
}

/** Each row its own softmax: what is left of the assignment without balance. */
export function unbalanced(scores: Numbers, clusters: number, epsilon = 0.05): Numbers {
  const out = zeros(scores.length);
  for (let i = 0; i < scores.length; i += clusters) {
    out.set(softmax(scores.subarray(i, i + clusters).map((s) => s / epsilon)), i);
  }
  return out;
}

export interface Assigned { value: number; first: Numbers; second: Numbers; prototypes: Numbers }

/**
 * -½ mean Σ_k [Q₂ log softmax(s₁ / τ) + Q₁ log softmax(s₂ / τ)], s = C h / ‖h‖; Q is held.
 * C (K, d) are unit prototypes.
 */
export function swav(
  first: Numbers, second: Numbers, prototypes: Numbers, dim: number, temperature: number,
  assign: (scores: Numbers, clusters: number) => Numbers,
): Assigned {
  const clusters = prototypes.length / dim;
  const sides = [normalized(first, dim), normalized(second, dim)];
  const scores = sides.map(({ unit }) => products(unit, prototypes, dim));
  const targets = scores.map((each) => assign(each, clusters));
  const moved = zeros(prototypes.length);
  let value = 0;
  const pulls = sides.map(({ unit, back }, side) => {
    const n = unit.length / dim;
    const g = zeros(unit.length);
    for (let i = 0; i < n; i++) {
      const row = scores[side].subarray(i * clusters, (i + 1) * clusters);
      const level = logSumExp(row.map((s) => s / temperature));
      for (let k = 0; k < clusters; k++) {
        const log = row[k] / temperature - level;
        const goal = targets[1 - side][i * clusters + k];
        value -= (goal * log) / (2 * n);
        const push = (Math.exp(log) - goal) / (2 * n * temperature);
        for (let d = 0; d < dim; d++) {
          g[i * dim + d] += push * prototypes[k * dim + d];
          moved[k * dim + d] += push * unit[i * dim + d];
        }
      }
    }
    return back(g);
  });
  return { value, first: pulls[0], second: pulls[1], prototypes: moved };
}

function products(unit: Numbers, prototypes: Numbers, dim: number): Numbers {
  const clusters = prototypes.length / dim;
  return zeros((unit.length / dim) * clusters).map((_, at) => {
    const [i, k] = [Math.floor(at / clusters), at % clusters];
    let total = 0;
    for (let d = 0; d < dim; d++) total += unit[i * dim + d] * prototypes[k * dim + d];
    return total;
  });
}
