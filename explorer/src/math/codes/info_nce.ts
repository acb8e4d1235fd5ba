/** Negatives: each view finds the other among all views of the batch, -log softmax(cos / τ). */

import { logSumExp, type Numbers, zeros } from "../vectors.ts";
import { normalized } from "./plane.ts";

/** What a loss of two views says: its value, and the gradients of both codes (n, d). */
export interface Pull { value: number; first: Numbers; second: Numbers }

/**
 * The mean over all 2n views. Without negatives only -cos / τ of the two views is left.
 */
export function infoNce(
  first: Numbers, second: Numbers, dim: number, temperature: number, negatives = true,
): Pull {
  const both = zeros(2 * first.length);
  both.set(first);
  both.set(second, first.length);
  const { unit, back } = normalized(both, dim);
  const count = both.length / dim;
  const half = count / 2;
  const g = zeros(both.length);
  let value = 0;
  const logits = zeros(count);
  for (let i = 0; i < count; i++) {
    const other = (i + half) % count;
    for (let j = 0; j < count; j++) {
      let cosine = 0;
      for (let k = 0; k < dim; k++) cosine += unit[i * dim + k] * unit[j * dim + k];
      logits[j] = j === i || !(negatives || j === other) ? -Infinity : cosine / temperature;
    }
    const level = negatives ? logSumExp(logits) : 0;
    value += (level - logits[other]) / count;
    for (let j = 0; j < count; j++) {
      if (logits[j] === -Infinity) continue;
      const share = negatives ? Math.exp(logits[j] - level) : 0;
      const push = (share - (j === other ? 1 : 0)) / (temperature * count);
      for (let k = 0; k < dim; k++) {
        g[i * dim + k] += push * unit[j * dim + k];
        g[j * dim + k] += push * unit[i * dim + k];
      }
    }
  }
  const raw = back(g);
  return { value, first: raw.slice(0, first.length), second: raw.slice(first.length) };
}
