/** Where a walker stands, the numbers a step draws, and the Metropolis test. */

import type { Point, Potential } from "../landscapes.ts";
import type { Random } from "../random.ts";

export interface State { y: Point; energy: number; slope: Point }
/** A step's random numbers: a push N(0, I) and a threshold U[0, 1). */
export interface Draw { push: Point; threshold: number }
export interface Step { state: State; accepted: boolean; path?: Point[] }

export const begin = (u: Potential, y: Point): State => ({ y, ...u(y) });

export const draw = (rng: Random): Draw => ({
  push: [rng.normal(), rng.normal()],
  threshold: rng.uniform(),
});

/** The new state where threshold < exp(logAccept), which NaN never is. */
export function metropolis(next: State, old: State, logAccept: number, threshold: number): Step {
  const accepted = threshold < Math.exp(Math.min(0, logAccept));
  return { state: accepted ? next : old, accepted };
}
