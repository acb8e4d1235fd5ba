/** The ellipse: E(y, z) = ‖y - (a cos z, b sin z)‖², z at K even angles, free energy at T. */

import type { Point } from "./landscapes.ts";
import { logSumExp, mean, type Numbers, zeros } from "./vectors.ts";

export interface Ellipse { a: number; b: number; atoms: number }

export const angle = (k: number, atoms: number): number => (2 * Math.PI * k) / atoms;

export function energies({ a, b, atoms }: Ellipse, [x, y]: Point, out = zeros(atoms)): Numbers {
  for (let k = 0; k < atoms; k++) {
    const z = angle(k, atoms);
    out[k] = (x - a * Math.cos(z)) ** 2 + (y - b * Math.sin(z)) ** 2;
  }
  return out;
}

/** -T log mean_z exp(-E / T); the minimum at T = 0, the mean at T = ∞. */
export function freeEnergy(each: Numbers, temperature: number): number {
  if (temperature === 0) return each.reduce((a, b) => Math.min(a, b));
  if (temperature === Infinity) return mean(each);
  const level = logSumExp(each.map((e) => -e / temperature));
  return -temperature * (level - Math.log(each.length));
}

/** q(z) ∝ exp(-E / T). */
export function posterior(each: Numbers, temperature: number): Numbers {
  const level = logSumExp(each.map((e) => -e / temperature));
  return each.map((e) => Math.exp(-e / temperature - level));
}

/**
 * What F_T looks like. At the origin its curvature along an axis of radius r is 2 (1 - r² / T),
 * as q(z) is uniform there: a valley becomes a ridge where T falls below r².
 */
export function shape({ a, b }: Ellipse, temperature: number): "one" | "two" | "ring" {
  const [long, short] = [Math.max(a, b) ** 2, Math.min(a, b) ** 2];
  if (temperature >= long) return "one";
  return temperature >= short ? "two" : "ring";
}
