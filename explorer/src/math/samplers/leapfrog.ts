/** The leapfrog integrator of H = u(y) + ½ ‖r‖². */

import type { Point, Potential } from "../landscapes.ts";
import { begin, type State } from "./state.ts";

export interface Phase { state: State; momentum: Point }

/** r -= ε/2 ∇u; y += ε r; r -= ε/2 ∇u. A negative ε goes back in time. */
export function leap(u: Potential, { state, momentum: [r, s] }: Phase, size: number): Phase {
  const half = size / 2;
  const middle = [r - half * state.slope[0], s - half * state.slope[1]];
  const next = begin(u, [state.y[0] + size * middle[0], state.y[1] + size * middle[1]]);
  const momentum = [middle[0] - half * next.slope[0], middle[1] - half * next.slope[1]] as const;
  return { state: next, momentum };
}

export const kinetic = ([r, s]: Point): number => 0.5 * (r * r + s * s);

export const hamiltonian = (phase: Phase): number => phase.state.energy + kinetic(phase.momentum);
