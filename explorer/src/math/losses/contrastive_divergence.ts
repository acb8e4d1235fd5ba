/** Contrastive divergence: mean E(y) - mean E(chains), chains of the model that start at data. */

import type { EnergyNet } from "../energy_net.ts";
import type { Random } from "../random.ts";
import { mean, type Numbers } from "../vectors.ts";

/**
 * Chains that stay from step to step and follow the model by MALA; without its test they would
 * leave through the first hole of the landscape. A few start anew, where holes could hide.
 */
export class Chains {
  constructor(readonly points: Numbers, private readonly size: number) {}

  advance(energy: EnergyNet, steps: number, rng: Random, reborn = 0.05): void {
    const { points } = this;
    for (let i = 0; i < points.length; i += 2) {
      if (rng.uniform() < reborn) points.set([8 * rng.uniform() - 4, 8 * rng.uniform() - 4], i);
    }
    const state = at(energy, points);
    for (let step = 0; step < steps; step++) {
      const push = rng.normals(points.length);
      const reach = Math.sqrt(2 * this.size);
      const to = points.map((y, i) => y - this.size * state.slopes[i] + reach * push[i]);
      this.test(state, at(energy, to), push, rng);
    }
  }

  /** Metropolis and Hastings: rows that are accepted move, in place. */
  private test(old: Heights, next: Heights, push: Numbers, rng: Random): void {
    for (let i = 0; i < old.energies.length; i++) {
      const own = [2 * i, 2 * i + 1];
      let logAccept = old.energies[i] - next.energies[i];
      for (const k of own) {
        const back = push[k] - Math.sqrt(this.size / 2) * (old.slopes[k] + next.slopes[k]);
        logAccept += 0.5 * (push[k] ** 2 - back ** 2);
      }
      if (rng.uniform() >= Math.exp(Math.min(0, logAccept))) continue;
      old.energies[i] = next.energies[i];
      for (const k of own) {
        old.points[k] = next.points[k];
        old.slopes[k] = next.slopes[k];
      }
    }
  }
}

/** Of slopes in proposals, there and back, so that exp(-E) stays exact. */
const STEEPEST = 5;

/** Energies at points, and slopes that are bounded. */
interface Heights { points: Numbers; energies: Numbers; slopes: Numbers }

function at(energy: EnergyNet, points: Numbers): Heights {
  const energies = energy.energies(points);
  const slopes = energy.slopes(points);
  // Where the landscape is steep a proposal would leap past its valley, and chains would freeze.
  for (let i = 0; i < slopes.length; i += 2) {
    const excess = Math.hypot(slopes[i], slopes[i + 1]) / STEEPEST;
    if (excess > 1) slopes.set([slopes[i] / excess, slopes[i + 1] / excess], i);
  }
  return { points, energies, slopes };
}

/**
 * mean E⁺ - mean E⁻ + α (mean (E⁺)² + mean (E⁻)²), of negatives that are held; adds its gradient.
 * α holds energies near 0, where chains can still follow (Du, Mordatch 2019).
 */
export function heldDifference(energy: EnergyNet, y: Numbers, negatives: Numbers, alpha: number): number {
  let value = 0;
  for (const [points, sign] of [[y, 1], [negatives, -1]] as const) {
    const each = energy.energies(points);
    energy.pull(each.map((e) => (sign + 2 * alpha * e) / each.length));
    value += mean(each.map((e) => sign * e + alpha * e * e));
  }
  return value;
}
