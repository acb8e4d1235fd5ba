/** Four ways to keep codes from collapse, each with its cure on or off. */

import { Adam } from "../math/adam.ts";
import { infoNce } from "../math/codes/info_nce.ts";
import { normalized } from "../math/codes/plane.ts";
import { cosine } from "../math/codes/simsiam.ts";
import { sinkhorn, swav, unbalanced } from "../math/codes/swav.ts";
import { vicreg, WEIGHTS } from "../math/codes/vicreg.ts";
import { Mlp } from "../math/mlp.ts";
import type { Random } from "../math/random.ts";
import { type Numbers, zeros } from "../math/vectors.ts";

export interface Cure {
  name: string;
  /** What the cure is, and what is left without it. */
  on: string; off: string;
  /** Codes on the circle are compared by their angle only. */
  round: boolean;
  encode(points: Numbers): Numbers;
  learn(first: Numbers, second: Numbers, cured: boolean): void;
}

/** ∂L/∂codes of both views, from their codes. */
type Loss = (first: Numbers, second: Numbers, cured: boolean) => { first: Numbers; second: Numbers };
const [DIM, WIDTH, DECAY] = [2, 24, 0.05];

function joined(a: Numbers, b: Numbers): Numbers {
  const both = zeros(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** An encoder of both views under a loss of their codes. */
function encoder(rng: Random, loss: Loss, rate: number): Pick<Cure, "encode" | "learn"> {
  const net = new Mlp(2, WIDTH, DIM, rng);
  const adam = new Adam(net.weights, rate, DECAY);
  return {
    encode: (points) => net.forward(points),
    learn(first, second, cured) {
      const codes = net.forward(joined(first, second));
      const pull = loss(codes.slice(0, first.length), codes.slice(first.length), cured);
      net.clear();
      net.backward(joined(pull.first, pull.second));
      adam.step(net.gradient);
    },
  };
}

const negatives = (rng: Random): Cure => ({
  name: "Negatives", on: "InfoNCE: all other codes push away", off: "only the two views attract", round: true,
  ...encoder(rng, (a, b, cured) => infoNce(a, b, DIM, 0.2, cured), 0.004),
});

const variance = (rng: Random): Cure => ({
  name: "Variance", on: "VICReg: each dimension must vary", off: "the distance alone: zero is best", round: false,
  ...encoder(rng, (a, b, cured) => vicreg(a, b, DIM, cured ? WEIGHTS : { ...WEIGHTS, spread: 0, shared: 0 }), 0.004),
});

/** SimSiam's loss; without its cure the target moves too, and nothing predicts. */
function stopGradient(rng: Random): Cure {
  const predictor = new Mlp(DIM, 16, DIM, rng);
  const adam = new Adam(predictor.weights, 0.02);
  const way = (from: Numbers, to: Numbers): Numbers => {
    const found = cosine(predictor.forward(from), to, DIM);
    const g = zeros(from.length);
    predictor.backward(found.p, true, g);
    return g;
  };
  const loss: Loss = (a, b, cured) => {
    if (!cured) {
      const found = cosine(a, b, DIM);
      return { first: found.p, second: found.h };
    }
    // Codes with the same mean and spread in each dimension, as batch normalization gives them.
    predictor.clear();
    const [na, nb] = [standardized(a), standardized(b)];
    const [first, second] = [na.back(way(na.codes, nb.codes)), nb.back(way(nb.codes, na.codes))];
    adam.step(predictor.gradient);
    return { first, second };
  };
  return {
    name: "Stop-gradient, predictor", on: "SimSiam: predict a target that stands still", off: "the target moves along", round: true,
    ...encoder(rng, loss, 0.004),
  };
}

/** (h - mean) / deviation of each dimension over the batch, and its way back. */
export function standardized(h: Numbers): { codes: Numbers; back: (g: Numbers) => Numbers } {
  const n = h.length / DIM;
  const [middle, spread] = [zeros(DIM), zeros(DIM)];
  for (let i = 0; i < h.length; i++) middle[i % DIM] += h[i] / n;
  for (let i = 0; i < h.length; i++) spread[i % DIM] += (h[i] - middle[i % DIM]) ** 2 / n;
  const scale = spread.map((value) => 1 / Math.sqrt(value + 1e-5));
  const codes = h.map((value, i) => (value - middle[i % DIM]) * scale[i % DIM]);
  const back = (g: Numbers): Numbers => {
    const [sum, along] = [zeros(DIM), zeros(DIM)];
    for (let i = 0; i < g.length; i++) {
      sum[i % DIM] += g[i] / n;
      along[i % DIM] += (g[i] * codes[i]) / n;
    }
    return g.map((value, i) => (value - sum[i % DIM] - codes[i] * along[i % DIM]) * scale[i % DIM]);
  };
  return { codes, back };
}

function assignment(rng: Random): Cure {
  const prototypes = normalized(rng.normals(8 * DIM), DIM).unit;
  const adam = new Adam(prototypes, 0.004);
  const loss: Loss = (a, b, cured) => {
    const found = swav(a, b, prototypes, DIM, 0.1, cured ? sinkhorn : unbalanced);
    adam.step(found.prototypes);
    prototypes.set(normalized(prototypes, DIM).unit);
    return found;
  };
  return {
    name: "Assignment", on: "SwAV: all clusters get equal shares", off: "one cluster may take all", round: true,
    ...encoder(rng, loss, 0.004),
  };
}

export const cures = (rng: Random): Cure[] => [negatives(rng), variance(rng), stopGradient(rng), assignment(rng)];
