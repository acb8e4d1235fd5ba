/** E(y) = network(y) + ½ κ ‖y‖²: a landscape that is learned; the hold keeps log Z finite. */

import { Mlp } from "./mlp.ts";
import type { Random } from "./random.ts";
import { type Numbers, zeros } from "./vectors.ts";

export class EnergyNet {
  readonly net: Mlp;

  constructor(rng: Random, readonly hold = 0.1, width = 32, readonly dim = 2, sharp = 1) {
    this.net = new Mlp(dim, width, 1, rng, sharp);
  }

  /** E (n) of points (n, dim). */
  energies(points: Numbers): Numbers {
    const n = points.length / this.dim;
    const out = this.net.forward(points, n);
    for (let i = 0; i < n; i++) {
      let square = 0;
      for (let k = 0; k < this.dim; k++) square += points[i * this.dim + k] ** 2;
      out[i] += 0.5 * this.hold * square;
    }
    return out;
  }

  /** ∂E/∂y (n, dim) of the points that `energies` saw last. */
  slopes(points: Numbers): Numbers {
    const out = zeros(points.length);
    this.net.backward(zeros(points.length / this.dim).fill(1), false, out);
    for (let i = 0; i < out.length; i++) out[i] += this.hold * points[i];
    return out;
  }

  /** Adds Σ c_i ∂E(y_i)/∂θ to the gradient, of the points that `energies` saw last. */
  pull(coefficients: Numbers): void {
    this.net.backward(coefficients);
  }

  /** Adds Σ ∂/∂θ v_i · ∇E(y_i), likewise; the hold has no weights. */
  pullAlong(v: Numbers): void {
    this.net.backwardAlong(v);
  }
}
