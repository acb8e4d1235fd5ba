/** What the page computes, asked by name: `tests/support/explorer_reference.py` asks the library the same. */

import { rankMe } from "./math/codes/plane.ts";
import { infoNce } from "./math/codes/info_nce.ts";
import { cosine } from "./math/codes/simsiam.ts";
import { sinkhorn, swav } from "./math/codes/swav.ts";
import { vicreg } from "./math/codes/vicreg.ts";
import { energies, freeEnergy, posterior } from "./math/ellipse.ts";
import { EnergyNet } from "./math/energy_net.ts";
import { logZ, square } from "./math/grid.ts";
import * as landscapes from "./math/landscapes.ts";
import type { Point, Potential } from "./math/landscapes.ts";
import { heldDifference } from "./math/losses/contrastive_divergence.ts";
import { denoisingScore } from "./math/losses/denoising_score.ts";
import { energyDiscrepancy } from "./math/losses/energy_discrepancy.ts";
import { likelihood } from "./math/losses/likelihood.ts";
import { gaussian, noiseContrast } from "./math/losses/noise_contrast.ts";
import { Mixture } from "./math/mixture.ts";
import { Random } from "./math/random.ts";
import { threshold } from "./math/relation.ts";
import { normalQuantile, rhat } from "./math/rhat.ts";
import { hmc } from "./math/samplers/hmc.ts";
import { langevin } from "./math/samplers/langevin.ts";
import { leap } from "./math/samplers/leapfrog.ts";
import { mala } from "./math/samplers/mala.ts";
import { nuts } from "./math/samplers/nuts.ts";
import { begin, type Draw } from "./math/samplers/state.ts";
import { Tempered } from "./math/samplers/tempering.ts";
import { sample, toys } from "./math/toys.ts";
import { mean, type Numbers } from "./math/vectors.ts";

/** Arrays of numbers, flat, by their names. */
export type Given = Record<string, number[]>;

const flat = (values: number[]): Numbers => Float64Array.from(values);
const points = (values: number[]): Point[] =>
  values.flatMap((value, i) => (i % 2 ? [[values[i - 1], value] as const] : []));

const MEANS: Point[] = [[-2, 0], [2, 0], [0, 1.5]];
const NAMED: Record<string, Potential> = {
  double_well: landscapes.doubleWell(2),
  mixture: landscapes.gaussianMixture(MEANS, 0.5),
  ring: landscapes.ring(),
  banana: landscapes.banana(),
  funnel: landscapes.funnel(),
};

const heights = (u: Potential) => ({ y }: Given) => {
  const found = points(y).map(u);
  return { energy: found.map((h) => h.energy), slope: found.flatMap((h) => h.slope) };
};

/** Chains of some steps from one start: where they stood, with numbers given. */
function walk(kind: string, { start, push, threshold: limits, size, steps }: Given): Given {
  const u = NAMED.mixture;
  let state = begin(u, points(start)[0]);
  const y = points(push).flatMap((own, i) => {
    const draw: Draw = { push: own, threshold: limits[i] };
    if (kind === "langevin") state = langevin(u, state, size[0], draw).state;
    if (kind === "mala") state = mala(u, state, size[0], draw).state;
    if (kind === "hmc") state = hmc(u, state, size[0], steps[0], draw).state;
    return state.y;
  });
  return { y, energy: [state.energy] };
}

function tempered({ start, push, threshold: limits, swap, size, temperatures }: Given): Given {
  const chain = new Tempered(NAMED.mixture, points(start)[0], temperatures);
  const count = temperatures.length;
  const draws = points(push).map((own, i) => ({ push: own, threshold: limits[i] }));
  const y: number[] = [];
  for (let step = 0; step < draws.length / count; step++) {
    const own = draws.slice(step * count, (step + 1) * count);
    chain.step(size[0], own, swap.slice(step * (count - 1), (step + 1) * (count - 1)));
    y.push(...chain.replicas[0].y);
  }
  return { y };
}

/** A chain of the no-U-turn sampler with numbers of its own. */
function turning({ start, size, steps, seed }: Given): Given {
  const rng = new Random(seed[0]);
  let state = begin(NAMED.double_well, points(start)[0]);
  const y: number[] = [];
  for (let step = 0; step < steps[0]; step++) {
    state = nuts(NAMED.double_well, state, size[0], rng).state;
    y.push(...state.y);
  }
  return { y };
}

function leaps({ start, push, size, steps }: Given): Given {
  let phase = { state: begin(NAMED.banana, points(start)[0]), momentum: points(push)[0] };
  const y: number[] = [];
  for (let step = 0; step < steps[0]; step++) {
    phase = leap(NAMED.banana, phase, size[0]);
    y.push(...phase.state.y, ...phase.momentum);
  }
  return { y };
}

/** One of the losses of a network with given weights: its value and gradient. */
const loss = (of: (energy: EnergyNet, given: Given) => number) => (given: Given) => {
  const energy = new EnergyNet(new Random(0), given.hold[0]);
  energy.net.weights.set(given.weights);
  energy.net.clear();
  const value = of(energy, given);
  return { value: [value], gradient: [...energy.net.gradient] };
};

const codes = (pull: { value: number; first: Numbers; second: Numbers }): Given => ({
  value: [pull.value], first: [...pull.first], second: [...pull.second],
});

const questions: Record<string, (given: Given) => Given> = {
  ...Object.fromEntries(Object.entries(NAMED).map(([name, u]) => [name, heights(u)])),
  langevin: (given) => walk("langevin", given),
  mala: (given) => walk("mala", given),
  hmc: (given) => walk("hmc", given),
  tempering: tempered,
  leapfrog: leaps,
  nuts: turning,
  ...Object.fromEntries(
    Object.entries(toys).map(([name, toy]) => [
      `toy_${name}`,
      ({ n, seed }: Given) => ({ y: [...sample(toy, n[0], new Random(seed[0]))], entropy: [toy.entropy] }),
    ]),
  ),
  rhat: ({ samples, chains }) => {
    const length = samples.length / chains[0];
    const each = Array.from({ length: chains[0] }, (_, c) => samples.slice(c * length, (c + 1) * length));
    return { rhat: [rhat(each)] };
  },
  quantile: ({ p }) => ({ quantile: p.map(normalQuantile) }),
  network: ({ weights, hold, y }) => {
    const energy = new EnergyNet(new Random(0), hold[0]);
    energy.net.weights.set(weights);
    return { energy: [...energy.energies(flat(y))], slope: [...energy.slopes(flat(y))] };
  },
  nll: ({ weights, hold, y, box }) => {
    const energy = new EnergyNet(new Random(0), hold[0]);
    energy.net.weights.set(weights);
    const grid = square(box[0], box[1], box[2]);
    const level = logZ(grid, energy.energies(grid.points));
    return { log_z: [level], nll: [mean(energy.energies(flat(y))) + level] };
  },
  likelihood: loss((energy, { y, box }) => likelihood(energy, flat(y), square(box[0], box[1], box[2]))),
  contrastive_divergence: loss((energy, { y, negatives, alpha }) =>
    heldDifference(energy, flat(y), flat(negatives), alpha[0]),
  ),
  noise_contrast: loss((energy, { y, noise, scale }) =>
    noiseContrast(energy, flat(y), flat(noise), gaussian(scale[0])),
  ),
  denoising_score: loss((energy, { y, noise, sigma }) =>
    denoisingScore(energy, flat(y), sigma[0], flat(noise)),
  ),
  energy_discrepancy: loss((energy, { y, back }) => energyDiscrepancy(energy, flat(y), flat(back))),
  latent: ({ weights, y }) => {
    const mixture = new Mixture(weights.length / 4, new Random(0));
    mixture.weights.set(weights);
    return { value: [mixture.loss(flat(y))], gradient: [...mixture.gradient] };
  },
  ellipse: ({ y, radii, atoms, temperatures }) => {
    const ellipse = { a: radii[0], b: radii[1], atoms: atoms[0] };
    const each = energies(ellipse, points(y)[0]);
    const free = temperatures.map((t) => freeEnergy(each, t));
    const limits = [freeEnergy(each, 0), freeEnergy(each, Infinity)];
    return { free, limits, q: [...posterior(each, temperatures[0])] };
  },
  info_nce: ({ first, second, temperature }) =>
    codes(infoNce(flat(first), flat(second), 2, temperature[0])),
  vicreg: ({ first, second }) => codes(vicreg(flat(first), flat(second), 2)),
  cosine: ({ first, second }) => {
    const { value, p, h } = cosine(flat(first), flat(second), 2);
    return { value: [value], first: [...p], second: [...h] };
  },
  sinkhorn: ({ scores, clusters }) => ({ q: [...sinkhorn(flat(scores), clusters[0])] }),
  swav: ({ first, second, prototypes, temperature }) => {
    const found = swav(flat(first), flat(second), flat(prototypes), 2, temperature[0], sinkhorn);
    return { ...codes(found), prototypes: [...found.prototypes] };
  },
  rank: ({ codes: h }) => ({ rank: [rankMe(flat(h))] }),
  conformal: ({ energies: each, level }) => ({ threshold: level.map((l) => threshold(flat(each), l)) }),
};

/** The answers to all that is asked, by name. */
export const answers = (asked: Record<string, Given>): Record<string, Given> =>
  Object.fromEntries(Object.entries(asked).map(([name, given]) => [name, questions[name](given)]));
