/** Parallel tempering: replicas at temperatures 1 = T₁ < T₂ < … move by MALA, then neighbors swap. */

import { heated, type Point, type Potential } from "../landscapes.ts";
import { mala } from "./mala.ts";
import { begin, type Draw, type State } from "./state.ts";

export class Tempered {
  readonly replicas: State[];
  private steps = 0;

  constructor(private readonly u: Potential, y: Point, readonly temperatures: readonly number[]) {
    this.replicas = temperatures.map(() => begin(u, y));
  }

  /** One step: replica i by MALA of size ε T_i on u / T_i, then swaps of every other pair. */
  step(size: number, draws: readonly Draw[], thresholds: readonly number[]): void {
    const { replicas, temperatures, u } = this;
    temperatures.forEach((t, i) => {
      const hot = heated(u, t);
      const { y } = mala(hot, begin(hot, replicas[i].y), size * t, draws[i]).state;
      replicas[i] = y === replicas[i].y ? replicas[i] : begin(u, y);
    });
    for (let i = this.steps % 2; i + 1 < replicas.length; i += 2) {
      const [cold, hot] = [replicas[i], replicas[i + 1]];
      const gain = (1 / temperatures[i] - 1 / temperatures[i + 1]) * (cold.energy - hot.energy);
      if (thresholds[i] < Math.exp(Math.min(0, gain))) [replicas[i], replicas[i + 1]] = [hot, cold];
    }
    this.steps++;
  }
}
