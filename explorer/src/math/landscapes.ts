/** Energies of the plane that are known in closed form, as `ebmlab.energies` has them. */

import { logSumExp } from "./vectors.ts";

export type Point = readonly [number, number];
export interface Height { energy: number; slope: Point }
/** E and ∇E at a point. */
export type Potential = (y: Point) => Height;

/** h (y₁² - 1)² + ½ y₂²: a barrier of h nats between two minima. */
export const doubleWell = (height = 2): Potential => ([a, b]) => {
  const off = a * a - 1;
  return { energy: height * off * off + 0.5 * b * b, slope: [4 * height * a * off, b] };
};

/** -log mean_k exp(-‖y - μ_k‖² / 2σ²). */
export const gaussianMixture = (means: readonly Point[], scale: number): Potential => ([a, b]) => {
  const logs = means.map(([m, n]) => -((a - m) ** 2 + (b - n) ** 2) / (2 * scale * scale));
  const level = logSumExp(logs);
  let [x, y] = [0, 0];
  means.forEach(([m, n], k) => {
    const share = Math.exp(logs[k] - level);
    x += share * m;
    y += share * n;
  });
  const inverse = 1 / (scale * scale);
  return { energy: Math.log(means.length) - level, slope: [(a - x) * inverse, (b - y) * inverse] };
};

/** (‖y‖ - r)² / 2σ². */
export const ring = (radius = 2, width = 0.2): Potential => ([a, b]) => {
  const length = Math.hypot(a, b);
  const off = (length - radius) / width;
  const push = length > 0 ? off / (width * length) : 0;
  return { energy: 0.5 * off * off, slope: [push * a, push * b] };
};

/** ½ y₁²/s² + ½ (y₂ - c (y₁² - s²))²/w². */
export const banana = (scale = 1, curvature = 1, width = 0.3): Potential => ([a, b]) => {
  const first = a / scale;
  const second = (b - curvature * (a * a - scale * scale)) / width;
  const slope: Point = [first / scale - (second * 2 * curvature * a) / width, second / width];
  return { energy: 0.5 * (first * first + second * second), slope };
};

/** v²/2s² + ½ y₂² e^{-v} + ½ v, v = y₁. */
export const funnel = (scale = 3): Potential => ([v, b]) => {
  const neck = Math.exp(-v);
  return {
    energy: (0.5 * v * v) / (scale * scale) + 0.5 * b * b * neck + 0.5 * v,
    slope: [v / (scale * scale) - 0.5 * b * b * neck + 0.5, b * neck],
  };
};

/** u / T. */
export const heated = (u: Potential, temperature: number): Potential => (y) => {
  const { energy, slope } = u(y);
  return { energy: energy / temperature, slope: [slope[0] / temperature, slope[1] / temperature] };
};
