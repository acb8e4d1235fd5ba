/** Energy discrepancy: data against points that noise led away and back, without slopes. */

import type { EnergyNet } from "../energy_net.ts";
import type { Random } from "../random.ts";
import { logSumExp, type Numbers, zeros } from "../vectors.ts";

/** M points for each y: y + s ξ + s ξ_j, ξ shared by the M; (M, n, 2). */
export function away(y: Numbers, count: number, scale: number, rng: Random): Numbers {
  const shared = rng.normals(y.length, scale);
  const out = zeros(count * y.length);
  for (let i = 0; i < out.length; i++) {
    const own = i % y.length;
    out[i] = y[own] + shared[own] + scale * rng.normal();
  }
  return out;
}

/** mean log[1/M + (1/M) Σ_j exp(E(y) - E(y_j))]; adds its gradient. */
export function energyDiscrepancy(energy: EnergyNet, y: Numbers, back: Numbers): number {
  const n = y.length / energy.dim;
  const count = back.length / y.length;
  const high = energy.energies(back);
  const low = energy.energies(y);
  const up = zeros(high.length);
  const down = zeros(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    const gaps = [0];
    for (let j = 0; j < count; j++) gaps.push(low[i] - high[j * n + i]);
    const level = logSumExp(gaps);
    total += level - Math.log(count);
    for (let j = 0; j < count; j++) {
      const share = Math.exp(gaps[j + 1] - level) / n;
      up[j * n + i] = -share;
      down[i] += share;
    }
  }
  energy.pull(down);
  energy.energies(back);
  energy.pull(up);
  return total / n;
}
