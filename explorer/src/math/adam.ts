/** Adam (Kingma, Ba 2014): steps of about one size, whatever the gradient's; decay as in AdamW. */

import { type Numbers, zeros } from "./vectors.ts";

export class Adam {
  private first: Numbers;
  private second: Numbers;
  private count = 0;

  constructor(private readonly weights: Numbers, private readonly rate: number, private readonly decay = 0) {
    this.first = zeros(weights.length);
    this.second = zeros(weights.length);
  }

  step(gradient: Numbers): void {
    this.count++;
    const [fast, slow] = [0.9, 0.999];
    const size = (this.rate * Math.sqrt(1 - slow ** this.count)) / (1 - fast ** this.count);
    const kept = 1 - this.rate * this.decay;
    for (let i = 0; i < gradient.length; i++) {
      const g = gradient[i];
      this.first[i] = fast * this.first[i] + (1 - fast) * g;
      this.second[i] = slow * this.second[i] + (1 - slow) * g * g;
      this.weights[i] = kept * this.weights[i] - (size * this.first[i]) / (Math.sqrt(this.second[i]) + 1e-8);
    }
  }
}
