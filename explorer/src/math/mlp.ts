/** A network of two hidden layers of SiLU units, its gradients written by hand. */

import { affine, toInputs, toWeights } from "./dense.ts";
import type { Random } from "./random.ts";
import { type Numbers, zeros } from "./vectors.ts";

/** The parts of a flat array of weights: W₁ b₁ W₂ b₂ W₃ b₃. */
interface Parts { w1: Numbers; b1: Numbers; w2: Numbers; b2: Numbers; w3: Numbers; b3: Numbers }

/** What a pass keeps of one layer: z, σ(z), z σ(z), and room for gradients. */
class Layer {
  z: Numbers; gate: Numbers; h: Numbers; g: Numbers;
  /** Along a direction: ż, ḣ and their gradients. */
  zt: Numbers; ht: Numbers; gt: Numbers;

  constructor(size: number) {
    [this.z, this.gate, this.h, this.g] = [zeros(size), zeros(size), zeros(size), zeros(size)];
    [this.zt, this.ht, this.gt] = [zeros(size), zeros(size), zeros(size)];
  }

  silu(size: number): void {
    const { z, gate, h } = this;
    for (let i = 0; i < size; i++) {
      gate[i] = 1 / (1 + Math.exp(-z[i]));
      h[i] = z[i] * gate[i];
    }
  }

  /** SiLU's first and second derivative at unit i. */
  slope(i: number): number {
    return this.gate[i] * (1 + this.z[i] * (1 - this.gate[i]));
  }

  bend(i: number): number {
    return this.gate[i] * (1 - this.gate[i]) * (2 + this.z[i] * (1 - 2 * this.gate[i]));
  }
}

export class Mlp {
  readonly weights: Numbers;
  /** Σ of all that `backward` and `backwardAlong` added since `clear`. */
  readonly gradient: Numbers;
  private readonly at: Parts;
  private readonly to: Parts;
  private one = new Layer(0);
  private two = new Layer(0);
  private room = 0;
  private x: Numbers = zeros(0);
  private n = 0;

  constructor(readonly inputs: number, readonly width: number, readonly outputs: number, rng: Random, sharp = 1) {
    const [i, h, o] = [inputs, width, outputs];
    const count = h * i + h + h * h + h + o * h + o;
    this.weights = zeros(count);
    this.gradient = zeros(count);
    this.at = this.parts(this.weights);
    this.to = this.parts(this.gradient);
    // Uniform in ±1/√fan-in, as torch's linear layers begin; the first so many times sharper.
    for (const [part, fan, scale] of [
      [this.at.w1, i, sharp], [this.at.b1, i, sharp], [this.at.w2, h, 1], [this.at.b2, h, 1],
      [this.at.w3, h, 1], [this.at.b3, h, 1],
    ] as const) {
      for (let k = 0; k < part.length; k++) part[k] = (scale * (2 * rng.uniform() - 1)) / Math.sqrt(fan);
    }
  }

  private parts(flat: Numbers): Parts {
    const [i, h, o] = [this.inputs, this.width, this.outputs];
    let from = 0;
    const next = (size: number): Numbers => flat.subarray(from, (from += size));
    return { w1: next(h * i), b1: next(h), w2: next(h * h), b2: next(h), w3: next(o * h), b3: next(o) };
  }

  clear(): void {
    this.gradient.fill(0);
  }

  /** The outputs (n, outputs) of x (n, inputs); what the backward passes need is kept. */
  forward(x: Numbers, n = x.length / this.inputs, out = zeros(n * this.outputs)): Numbers {
    if (n > this.room) {
      this.room = n;
      this.one = new Layer(n * this.width);
      this.two = new Layer(n * this.width);
    }
    const { one, two, at } = this;
    [this.x, this.n] = [x, n];
    affine(x, n, this.inputs, at.w1, at.b1, this.width, one.z);
    one.silu(n * this.width);
    affine(one.h, n, this.width, at.w2, at.b2, this.width, two.z);
    two.silu(n * this.width);
    affine(two.h, n, this.width, at.w3, at.b3, this.outputs, out);
    return out;
  }

  /**
   * From g = ∂L/∂out (n, outputs) of the last `forward`: adds to `gradient`, and returns
   * ∂L/∂x (n, inputs) where `inputs` is given to write it to.
   */
  backward(g: Numbers, weights = true, inputs: Numbers | null = null): void {
    const { one, two, at, to, n, width } = this;
    if (weights) toWeights(g, two.h, n, this.outputs, width, to.w3, to.b3);
    toInputs(g, n, this.outputs, at.w3, width, two.g);
    for (let i = 0; i < n * width; i++) two.g[i] *= two.slope(i);
    if (weights) toWeights(two.g, one.h, n, width, width, to.w2, to.b2);
    toInputs(two.g, n, width, at.w2, width, one.g);
    for (let i = 0; i < n * width; i++) one.g[i] *= one.slope(i);
    if (weights) toWeights(one.g, this.x, n, width, this.inputs, to.w1, to.b1);
    if (inputs) toInputs(one.g, n, width, at.w1, this.inputs, inputs);
  }

  /**
   * Adds the gradient of Σ v · ∂out/∂x, v (n, inputs) held, of one output at the last `forward`:
   * the derivative along v is followed forward, and that walk back.
   */
  backwardAlong(v: Numbers): void {
    const { one, two, at, to, n, width, inputs } = this;
    const size = n * width;
    affine(v, n, inputs, at.w1, null, width, one.zt);
    for (let i = 0; i < size; i++) one.ht[i] = one.slope(i) * one.zt[i];
    affine(one.ht, n, width, at.w2, null, width, two.zt);
    for (let i = 0; i < size; i++) two.ht[i] = two.slope(i) * two.zt[i];
    toWeights(zeros(n).fill(1), two.ht, n, 1, width, to.w3, null);
    for (let i = 0; i < size; i++) {
      const push = at.w3[i % width];
      two.gt[i] = push * two.slope(i);
      two.g[i] = push * two.bend(i) * two.zt[i];
    }
    toWeights(two.gt, one.ht, n, width, width, to.w2, null);
    toWeights(two.g, one.h, n, width, width, to.w2, to.b2);
    toInputs(two.gt, n, width, at.w2, width, one.gt);
    toInputs(two.g, n, width, at.w2, width, one.g);
    for (let i = 0; i < size; i++) {
      one.g[i] = one.g[i] * one.slope(i) + one.gt[i] * one.bend(i) * one.zt[i];
      one.gt[i] *= one.slope(i);
    }
    toWeights(one.gt, v, n, width, inputs, to.w1, null);
    toWeights(one.g, this.x, n, width, inputs, to.w1, to.b1);
  }
}
