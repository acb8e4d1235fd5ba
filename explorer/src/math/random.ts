/** Random numbers that a seed repeats: the counter-based generator sfc32. */

import { type Numbers, zeros } from "./vectors.ts";

export class Random {
  private state: Uint32Array;
  private spare = Number.NaN;

  constructor(seed: number) {
    this.state = Uint32Array.of(seed, 0x9e3779b9, 0x243f6a88, 1);
    for (let i = 0; i < 16; i++) this.uniform();
  }

  /** U[0, 1). */
  uniform(): number {
    const s = this.state;
    const word = (s[0] + s[1] + s[3]++) >>> 0;
    s[0] = s[1] ^ (s[1] >>> 9);
    s[1] = s[2] + (s[2] << 3);
    s[2] = ((s[2] << 21) | (s[2] >>> 11)) + word;
    return word / 2 ** 32;
  }

  /** N(0, 1), in pairs by Box and Muller. */
  normal(): number {
    if (!Number.isNaN(this.spare)) {
      const kept = this.spare;
      this.spare = Number.NaN;
      return kept;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    const angle = 2 * Math.PI * this.uniform();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** A whole number below n. */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  normals(n: number, scale = 1): Numbers {
    return zeros(n).map(() => scale * this.normal());
  }
}
