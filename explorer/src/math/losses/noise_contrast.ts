/**
 * Noise contrast (NCE): data against draws of a known density q, one by one, by
 * G(y) = -E(y) - log k q(y). The energy learns its own log Z.
 */

import type { EnergyNet } from "../energy_net.ts";
import { mean, type Numbers, sigmoid, softplus, sum } from "../vectors.ts";

/**
 * -mean log σ(G(y)) - k mean log σ(-G(y')); adds its gradient.
 * `noise` holds k draws for each datum, `logQ` gives log q of points.
 */
export function noiseContrast(
  energy: EnergyNet, y: Numbers, noise: Numbers, logQ: (points: Numbers) => Numbers,
): number {
  const k = noise.length / y.length;
  const n = y.length / energy.dim;
  const logits = (points: Numbers): Numbers => {
    const q = logQ(points);
    return energy.energies(points).map((e, i) => -e - q[i] - Math.log(k));
  };
  const real = logits(y);
  energy.pull(real.map((g) => sigmoid(-g) / n));
  const fake = logits(noise);
  energy.pull(fake.map((g) => -sigmoid(g) / n));
  return mean(real.map((g) => softplus(-g))) + sum(fake.map(softplus)) / n;
}

/** log N(y; 0, s² I) of points of the plane. */
export const gaussian = (scale: number) => (points: Numbers): Numbers => {
  const level = -Math.log(2 * Math.PI * scale * scale);
  return new Float64Array(points.length / 2).map(
    (_, i) => level - (points[2 * i] ** 2 + points[2 * i + 1] ** 2) / (2 * scale * scale),
  );
};
