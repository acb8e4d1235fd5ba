/** One x, many y: x = y + 0.3 sin 2πy + noise, y ~ U(0, 1), and sets that hold y as promised. */

import type { Random } from "./random.ts";
import { type Numbers, zeros } from "./vectors.ts";

export const NOISE = 0.05;

export const forward = (y: number): number => y + 0.3 * Math.sin(2 * Math.PI * y);

/** Pairs (n, 2). */
export function pairs(n: number, rng: Random): Numbers {
  const out = zeros(2 * n);
  for (let i = 0; i < n; i++) {
    const y = rng.uniform();
    out[2 * i] = forward(y) + NOISE * rng.normal();
    out[2 * i + 1] = y;
  }
  return out;
}

/** τ: the ⌈(n + 1) level⌉-th smallest energy of pairs held out; F <= τ holds y that often. */
export function threshold(heldOut: Numbers, level: number): number {
  const rank = Math.ceil((heldOut.length + 1) * level - 1e-9);
  const sorted = heldOut.slice().sort();
  return rank > sorted.length ? Infinity : sorted[rank - 1];
}
