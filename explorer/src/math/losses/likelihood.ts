/** Exact likelihood: mean E(y) + log ∫ exp(-E), the integral over a grid. */

import type { EnergyNet } from "../energy_net.ts";
import { type Grid, logZ } from "../grid.ts";
import { mean, type Numbers, zeros } from "../vectors.ts";

/** -mean log p(y) in nats; adds its gradient. */
export function likelihood(energy: EnergyNet, y: Numbers, grid: Grid): number {
  const heights = energy.energies(grid.points);
  const level = logZ(grid, heights);
  energy.pull(heights.map((e, i) => -Math.exp(grid.logWeights[i] - e - level)));
  const own = energy.energies(y);
  energy.pull(zeros(own.length).fill(1 / own.length));
  return mean(own) + level;
}
