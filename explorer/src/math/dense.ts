/** Products of a batch (n, inputs) with a matrix (outputs, inputs), four outputs at a time. */

import type { Numbers } from "./vectors.ts";

/** out = x Wᵀ + b, (n, outputs). Without b the product alone. */
export function affine(
  x: Numbers, n: number, inputs: number, w: Numbers, b: Numbers | null, outputs: number,
  out: Numbers,
): void {
  const whole = outputs - (outputs % 4);
  for (let i = 0; i < n; i++) {
    const row = i * inputs;
    const to = i * outputs;
    for (let j = 0; j < whole; j += 4) {
      let s0 = b ? b[j] : 0;
      let s1 = b ? b[j + 1] : 0;
      let s2 = b ? b[j + 2] : 0;
      let s3 = b ? b[j + 3] : 0;
      const w0 = j * inputs;
      const w1 = w0 + inputs;
      const w2 = w1 + inputs;
      const w3 = w2 + inputs;
      for (let k = 0; k < inputs; k++) {
        const value = x[row + k];
        s0 += w[w0 + k] * value;
        s1 += w[w1 + k] * value;
        s2 += w[w2 + k] * value;
        s3 += w[w3 + k] * value;
      }
      out[to + j] = s0;
      out[to + j + 1] = s1;
      out[to + j + 2] = s2;
      out[to + j + 3] = s3;
    }
    for (let j = whole; j < outputs; j++) {
      let s = b ? b[j] : 0;
      for (let k = 0; k < inputs; k++) s += w[j * inputs + k] * x[row + k];
      out[to + j] = s;
    }
  }
}

/** out = g W, (n, inputs): the gradient of the inputs from that of the outputs. */
export function toInputs(
  g: Numbers, n: number, outputs: number, w: Numbers, inputs: number, out: Numbers,
): void {
  for (let i = 0; i < n; i++) {
    const to = i * inputs;
    for (let k = 0; k < inputs; k++) out[to + k] = 0;
    for (let j = 0; j < outputs; j++) {
      const value = g[i * outputs + j];
      const row = j * inputs;
      for (let k = 0; k < inputs; k++) out[to + k] += value * w[row + k];
    }
  }
}

/** dW += gᵀ x and db += Σ g: the gradient of the weights. */
export function toWeights(
  g: Numbers, x: Numbers, n: number, outputs: number, inputs: number, dw: Numbers,
  db: Numbers | null,
): void {
  for (let i = 0; i < n; i++) {
    const row = i * inputs;
    for (let j = 0; j < outputs; j++) {
      const value = g[i * outputs + j];
      if (db) db[j] += value;
      const to = j * inputs;
      for (let k = 0; k < inputs; k++) dw[to + k] += value * x[row + k];
    }
  }
}
