/** One walker, and the landscapes that it may walk on. */

import type { Window } from "../draw/view.ts";
import { banana, doubleWell, funnel, gaussianMixture, type Point, type Potential, ring } from "../math/landscapes.ts";
import type { Random } from "../math/random.ts";
import { hmc } from "../math/samplers/hmc.ts";
import { langevin } from "../math/samplers/langevin.ts";
import { mala } from "../math/samplers/mala.ts";
import { nuts } from "../math/samplers/nuts.ts";
import { begin, draw, type State, type Step } from "../math/samplers/state.ts";
import { Tempered } from "../math/samplers/tempering.ts";

export interface Land {
  u: Potential; window: Window; starts: readonly Point[];
  /** Nats that are shown, and a step size that suits. */
  height: number; size: number;
}

const box = (x: number, y: number, up = 0): Window => ({ left: -x, right: x, low: up - y, high: up + y });
const FIVE: Point[] = [[-3, 1.6], [3, 1.6], [0, -2.4], [-1.2, 0.2], [1.6, -0.6]];
export const LANDS: Record<string, Land> = {
  mixture: { u: gaussianMixture(FIVE, 0.38), window: box(4.8, 3.6), starts: FIVE, height: 14, size: 0.35 },
  double: { u: doubleWell(8), window: box(2.4, 1.8), starts: [[-1, 0], [1, 0]], height: 14, size: 0.35 },
  ring: { u: ring(2, 0.15), window: box(3.6, 2.7), starts: [[2, 0], [-1, 1.73], [-1, -1.73]], height: 14, size: 0.2 },
  banana: { u: banana(1.3, 0.6, 0.3), window: box(4.4, 3.3, 1.5), starts: [[0, -1], [1.8, 0.9], [-1.8, 0.9]], height: 12, size: 0.2 },
  funnel: { u: funnel(3), window: box(10, 7.5), starts: [[4, 0], [-4, 0]], height: 9, size: 0.4 },
};

const KEPT = 400;
const LADDER = [1, 3, 9, 27];

export class Walker {
  private state: State;
  private tempered: Tempered;
  readonly trail: Point[] = [];
  /** Where a trajectory went at the last step. */
  path: Point[] = [];
  accepted = 0;
  steps = 0;

  constructor(private readonly u: Potential, y: Point, readonly color: string) {
    this.state = begin(u, y);
    this.tempered = new Tempered(u, y, LADDER);
  }

  get y(): Point {
    return this.state.y;
  }

  get hot(): Point[] {
    return this.tempered.replicas.slice(1).map((replica) => replica.y);
  }

  step(sampler: string, size: number, leaps: number, rng: Random): void {
    const step = this.move(sampler, size, leaps, rng);
    this.accepted += Number(step.accepted);
    this.steps++;
    this.state = step.state;
    this.path = step.path ?? [];
    this.trail.push(this.state.y);
    if (this.trail.length > KEPT) this.trail.shift();
  }

  private move(sampler: string, size: number, leaps: number, rng: Random): Step {
    const { u, state } = this;
    if (sampler === "langevin") return bounded(langevin(u, state, size * size / 2, draw(rng)), state);
    if (sampler === "mala") return mala(u, state, size * size / 2, draw(rng));
    if (sampler === "hmc") return hmc(u, state, size, leaps, draw(rng));
    if (sampler === "nuts") return nuts(u, state, size, rng);
    const swaps = LADDER.map(() => rng.uniform());
    this.tempered.step((size * size) / 2, LADDER.map(() => draw(rng)), swaps);
    const [cold] = this.tempered.replicas;
    return { state: cold, accepted: cold.y !== state.y };
  }
}

/** Unadjusted steps may leave for infinity; such a walker stays where it was. */
const bounded = (step: Step, old: State): Step =>
  Number.isFinite(step.state.energy) && step.state.energy < 1e6 ? step : { state: old, accepted: false };
