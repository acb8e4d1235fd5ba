/** Point clouds of the plane, as `ebmlab.data.toys` has them, and what a hand drew. */

import type { Point } from "./landscapes.ts";
import type { Random } from "./random.ts";
import { type Numbers, zeros } from "./vectors.ts";

export interface Toy {
  draw(rng: Random): Point;
  /** Nats; no model has a lower NLL. NaN where it is not known. */
  entropy: number;
}

const polar = (angle: number, radius = 1): Point => [
  radius * Math.cos(angle), radius * Math.sin(angle),
];
const blurred = ([a, b]: Point, scale: number, rng: Random): Point => [
  a + scale * rng.normal(), b + scale * rng.normal(),
];
/** A curve or its mirror image through the origin, blurred. */
const either = ([a, b]: Point, scale: number, rng: Random): Point =>
  blurred(rng.uniform() < 0.5 ? [a, b] : [-a, -b], scale, rng);

export const toys: Record<string, Toy> = {
  eight: {
    draw: (rng) => blurred(polar((rng.below(8) * Math.PI) / 4, 2), 0.2, rng),
    entropy: 1.698,
  },
  moons: {
    draw(rng) {
      const [a, b] = polar(Math.PI * rng.uniform());
      return either([1.6 * (a - 0.5), 1.6 * (b - 0.25)], 0.12, rng);
    },
    entropy: 1.65,
  },
  spirals: {
    draw(rng) {
      const along = Math.sqrt(rng.uniform());
      return either(polar(3 * Math.PI * along, 2.5 * along), 0.08, rng);
    },
    entropy: 2.09,
  },
  checkerboard: {
    draw(rng) {
      const column = rng.below(4);
      const row = 2 * rng.below(2) + (column % 2);
      return [column + rng.uniform() - 2, row + rng.uniform() - 2];
    },
    entropy: Math.log(8),
  },
};

/** Points around what was drawn, each blurred anew at every draw. */
export const drawn = (points: readonly Point[]): Toy => ({
  draw: (rng) => blurred(points[rng.below(points.length)], 0.1, rng),
  entropy: Number.NaN,
});

export function sample(toy: Toy, n: number, rng: Random): Numbers {
  const out = zeros(2 * n);
  for (let i = 0; i < n; i++) out.set(toy.draw(rng), 2 * i);
  return out;
}
