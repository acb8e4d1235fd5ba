/** MALA: a Langevin proposal, taken or refused so that exp(-u) stays exact. */

import type { Potential } from "../landscapes.ts";
import { langevin } from "./langevin.ts";
import { type Draw, metropolis, type State, type Step } from "./state.ts";

export function mala(u: Potential, state: State, size: number, draw: Draw): Step {
  const next = langevin(u, state, size, draw).state;
  let logRatio = 0;
  for (const k of [0, 1]) {
    // The way back needs the noise that would lead from y' to y.
    const back = draw.push[k] - Math.sqrt(size / 2) * (state.slope[k] + next.slope[k]);
    logRatio += 0.5 * (draw.push[k] ** 2 - back ** 2);
  }
  return metropolis(next, state, state.energy - next.energy + logRatio, draw.threshold);
}
