/** Variance: views are drawn together while each code's dimensions must vary, and not together. */

import { type Numbers, zeros } from "../vectors.ts";
import type { Pull } from "./info_nce.ts";

export interface Weights { distance: number; spread: number; shared: number }
/** Of the distance: mean over the dimensions, as the authors have it. */
export const WEIGHTS: Weights = { distance: 25, spread: 25, shared: 1 };

/** mean_j max(0, 1 - √(Var h_j + ε)) and Σ_{i≠j} Cov(h)²_ij / d, weighed; adds its gradient. */
function penalty(h: Numbers, dim: number, { spread, shared }: Weights, g: Numbers): number {
  const n = h.length / dim;
  const middle = zeros(dim);
  for (let i = 0; i < h.length; i++) middle[i % dim] += h[i] / n;
  const off = h.map((value, i) => value - middle[i % dim]);
  const covariance = zeros(dim * dim);
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < dim; a++) {
      for (let b = 0; b < dim; b++) {
        covariance[a * dim + b] += (off[i * dim + a] * off[i * dim + b]) / (n - 1);
      }
    }
  }
  // The slope of the value in each entry of the covariance.
  const slope = zeros(dim * dim);
  let value = 0;
  for (let a = 0; a < dim; a++) {
    const root = Math.sqrt(covariance[a * dim + a] + 1e-4);
    if (root < 1) {
      value += (spread * (1 - root)) / dim;
      slope[a * dim + a] = -spread / (dim * 2 * root);
    }
    for (let b = 0; b < dim; b++) {
      if (a === b) continue;
      value += (shared * covariance[a * dim + b] ** 2) / dim;
      slope[a * dim + b] = (2 * shared * covariance[a * dim + b]) / dim;
    }
  }
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < dim; a++) {
      for (let b = 0; b < dim; b++) {
        g[i * dim + a] += (2 * slope[a * dim + b] * off[i * dim + b]) / (n - 1);
      }
    }
  }
  return value;
}

/** The value takes ½ of the spread's two penalties, and the sum of the shared's. */
export function vicreg(first: Numbers, second: Numbers, dim: number, weights = WEIGHTS): Pull {
  const gaps = first.map((value, i) => value - second[i]);
  let value = 0;
  for (const gap of gaps) value += (weights.distance * gap * gap) / gaps.length;
  const scale = (2 * weights.distance) / gaps.length;
  const pull = { first: gaps.map((gap) => scale * gap), second: gaps.map((gap) => -scale * gap) };
  const halved = { ...weights, spread: weights.spread / 2 };
  value += penalty(first, dim, halved, pull.first) + penalty(second, dim, halved, pull.second);
  return { value, ...pull };
}
