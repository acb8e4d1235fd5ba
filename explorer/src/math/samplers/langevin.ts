/** Langevin dynamics: y' = y - ε ∇u + √(2ε) ξ, with a bias of order ε. */

import type { Potential } from "../landscapes.ts";
import { begin, type Draw, type State, type Step } from "./state.ts";

export function langevin(u: Potential, state: State, size: number, { push }: Draw): Step {
  const reach = Math.sqrt(2 * size);
  const [a, b] = state.y;
  const [g, h] = state.slope;
  const y = [a - size * g + reach * push[0], b - size * h + reach * push[1]] as const;
  return { state: begin(u, y), accepted: true };
}
