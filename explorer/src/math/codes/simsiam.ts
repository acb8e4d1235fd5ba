/** Stop-gradient and predictor: -cos(p(h₁), sg h₂), both ways; dynamics, not descent. */

import { type Numbers, zeros } from "../vectors.ts";
import { normalized } from "./plane.ts";

/** -mean cos of p and h (n, d), and its gradients. */
export function cosine(p: Numbers, h: Numbers, dim: number): { value: number; p: Numbers; h: Numbers } {
  const [a, b] = [normalized(p, dim), normalized(h, dim)];
  const n = p.length / dim;
  let value = 0;
  const [ga, gb] = [zeros(p.length), zeros(p.length)];
  for (let i = 0; i < p.length; i++) {
    value -= (a.unit[i] * b.unit[i]) / n;
    ga[i] = -b.unit[i] / n;
    gb[i] = -a.unit[i] / n;
  }
  return { value, p: a.back(ga), h: b.back(gb) };
}
