/** Nodes of a square and their weights by the trapezoid rule: ∫ f ≈ Σ exp(w) f. */

import { type Numbers, zeros } from "./vectors.ts";

export interface Grid {
  readonly low: number; readonly high: number; readonly resolution: number;
  /** (resolution², 2), x running fastest. */
  readonly points: Numbers;
  readonly logWeights: Numbers;
}

export function square(low: number, high: number, resolution: number): Grid {
  const points = zeros(2 * resolution * resolution);
  const logWeights = zeros(resolution * resolution);
  const step = (high - low) / (resolution - 1);
  const half = (i: number): number => (i === 0 || i === resolution - 1 ? 0.5 : 1);
  for (let j = 0, at = 0; j < resolution; j++) {
    for (let i = 0; i < resolution; i++, at++) {
      points[2 * at] = low + i * step;
      points[2 * at + 1] = low + j * step;
      logWeights[at] = Math.log(step * step * half(i) * half(j));
    }
  }
  return { low, high, resolution, points, logWeights };
}

/** log ∫ exp(-E) of energies at the nodes. */
export function logZ(grid: Grid, energies: Numbers): number {
  let top = -Infinity;
  for (let i = 0; i < energies.length; i++) top = Math.max(top, grid.logWeights[i] - energies[i]);
  let total = 0;
  for (let i = 0; i < energies.length; i++) total += Math.exp(grid.logWeights[i] - energies[i] - top);
  return top + Math.log(total);
}
