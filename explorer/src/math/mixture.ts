/**
 * A latent variable z that names one of K Gaussians, summed out:
 * F(y) = -log Σ_z π_z N(y; μ_z, s_z² I), the free energy at T = 1, which is normalized.
 */

import type { Random } from "./random.ts";
import { logSumExp, type Numbers, softmax, zeros } from "./vectors.ts";

export class Mixture {
  /** Logits of π (K), log s (K), μ (K, 2). */
  readonly weights: Numbers;
  readonly gradient: Numbers;

  constructor(readonly count: number, rng: Random) {
    this.weights = zeros(4 * count);
    this.gradient = zeros(4 * count);
    const spread = rng.normals(2 * count, 1.2);
    this.weights.set(spread, 2 * count);
    this.weights.fill(Math.log(0.6), count, 2 * count);
  }

  private logs(x: number, y: number, level: number, into: Numbers): void {
    const { weights: w, count } = this;
    for (let k = 0; k < count; k++) {
      const inverse = Math.exp(-2 * w[count + k]);
      const off = (x - w[2 * count + 2 * k]) ** 2 + (y - w[2 * count + 2 * k + 1]) ** 2;
      into[k] = w[k] - level - Math.log(2 * Math.PI) - 2 * w[count + k] - 0.5 * off * inverse;
    }
  }

  /** F (n) of points (n, 2). */
  energies(points: Numbers): Numbers {
    const level = logSumExp(this.weights.subarray(0, this.count));
    const logs = zeros(this.count);
    return zeros(points.length / 2).map((_, i) => {
      this.logs(points[2 * i], points[2 * i + 1], level, logs);
      return -logSumExp(logs);
    });
  }

  /** mean F(y); adds its gradient, E_q[∂E/∂θ] with q(z | y) the posterior. */
  loss(points: Numbers): number {
    const { weights: w, gradient: g, count } = this;
    const n = points.length / 2;
    const shares = softmax(w.subarray(0, count));
    const level = logSumExp(w.subarray(0, count));
    const logs = zeros(count);
    let total = 0;
    for (let i = 0; i < n; i++) {
      const [x, y] = [points[2 * i], points[2 * i + 1]];
      this.logs(x, y, level, logs);
      const own = logSumExp(logs);
      total -= own / n;
      for (let k = 0; k < count; k++) {
        const q = Math.exp(logs[k] - own) / n;
        const inverse = Math.exp(-2 * w[count + k]);
        const [dx, dy] = [x - w[2 * count + 2 * k], y - w[2 * count + 2 * k + 1]];
        g[k] += shares[k] / n - q;
        g[count + k] += q * (2 - (dx * dx + dy * dy) * inverse);
        g[2 * count + 2 * k] -= q * dx * inverse;
        g[2 * count + 2 * k + 1] -= q * dy * inverse;
      }
    }
    return total;
  }
}
