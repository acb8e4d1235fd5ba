/** Denoising score matching: ½ E ‖σ ∇E(y + σξ) - ξ‖²; the slope must point back to the data. */

import type { EnergyNet } from "../energy_net.ts";
import { type Numbers, zeros } from "../vectors.ts";

/** The loss for given noise ξ; adds its gradient, which goes through ∇E. */
export function denoisingScore(energy: EnergyNet, y: Numbers, sigma: number, noise: Numbers): number {
  const n = y.length / energy.dim;
  const noisy = y.map((value, i) => value + sigma * noise[i]);
  energy.energies(noisy);
  const slopes = energy.slopes(noisy);
  const along = zeros(y.length);
  let total = 0;
  for (let i = 0; i < y.length; i++) {
    const off = sigma * slopes[i] - noise[i];
    total += 0.5 * off * off;
    along[i] = (sigma * off) / n;
  }
  energy.pullAlong(along);
  return total / n;
}
