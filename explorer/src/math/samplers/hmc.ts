/** Hamiltonian Monte Carlo: roll for some steps from a fresh push, then the Metropolis test. */

import type { Potential } from "../landscapes.ts";
import { hamiltonian, leap, type Phase } from "./leapfrog.ts";
import { type Draw, metropolis, type State, type Step } from "./state.ts";

export function hmc(u: Potential, state: State, size: number, steps: number, draw: Draw): Step {
  const start: Phase = { state, momentum: draw.push };
  let end = start;
  const path = [state.y];
  for (let step = 0; step < steps; step++) {
    end = leap(u, end, size);
    path.push(end.state.y);
  }
  const gain = hamiltonian(start) - hamiltonian(end);
  return { ...metropolis(end.state, state, gain, draw.threshold), path };
}
