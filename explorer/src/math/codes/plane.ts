/** Codes on the circle, and how many directions codes of the plane vary in. */

import { type Numbers, zeros } from "../vectors.ts";

/** h / ‖h‖ of codes (n, d), and its way back: from ∂L/∂(h / ‖h‖) to ∂L/∂h. */
export function normalized(h: Numbers, dim: number): { unit: Numbers; back: (g: Numbers) => Numbers } {
  const lengths = zeros(h.length / dim);
  for (let i = 0; i < h.length; i++) lengths[Math.floor(i / dim)] += h[i] * h[i];
  for (let i = 0; i < lengths.length; i++) lengths[i] = Math.max(Math.sqrt(lengths[i]), 1e-12);
  const unit = h.map((value, i) => value / lengths[Math.floor(i / dim)]);
  const back = (g: Numbers): Numbers => {
    const along = zeros(lengths.length);
    for (let i = 0; i < g.length; i++) along[Math.floor(i / dim)] += g[i] * unit[i];
    return g.map((value, i) => {
      const row = Math.floor(i / dim);
      return (value - along[row] * unit[i]) / lengths[row];
    });
  };
  return { unit, back };
}

/**
 * RankMe: exp(-Σ p log p), p the shares of the singular values of codes (n, 2), from 1 to 2. Not
 * centered: codes in one point have rank 1.
 */
export function rankMe(h: Numbers): number {
  let [xx, xy, yy] = [0, 0, 0];
  for (let i = 0; i < h.length; i += 2) {
    xx += h[i] * h[i];
    xy += h[i] * h[i + 1];
    yy += h[i + 1] * h[i + 1];
  }
  const half = Math.hypot((xx - yy) / 2, xy);
  const values = [(xx + yy) / 2 + half, Math.max((xx + yy) / 2 - half, 0)].map(Math.sqrt);
  const total = values[0] + values[1];
  if (!(total > 0)) return 1;
  const shares = values.map((value) => value / total + 1e-7);
  return Math.exp(-shares.reduce((sum, p) => sum + p * Math.log(p), 0));
}
