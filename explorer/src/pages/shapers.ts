/** Six ways to shape a landscape: each takes a batch of data and moves its weights once. */

import { Adam } from "../math/adam.ts";
import { EnergyNet } from "../math/energy_net.ts";
import { type Grid, logZ, square } from "../math/grid.ts";
import { Chains, heldDifference } from "../math/losses/contrastive_divergence.ts";
import { denoisingScore } from "../math/losses/denoising_score.ts";
import { away, energyDiscrepancy } from "../math/losses/energy_discrepancy.ts";
import { likelihood } from "../math/losses/likelihood.ts";
import { gaussian, noiseContrast } from "../math/losses/noise_contrast.ts";
import { Mixture } from "../math/mixture.ts";
import type { Random } from "../math/random.ts";
import { mean, type Numbers } from "../math/vectors.ts";

export interface Shaper {
  name: string;
  /** What it does to the landscape, in a few words. */
  does: string;
  energies(points: Numbers): Numbers;
  learn(batch: Numbers): void;
}

export const BATCH = 64;
const [HOLD, WIDTH] = [0.1, 24];
/** Networks that begin smooth stay for long on the ring that eight valleys blur into. */
const SHARP = 3;

/** A network of its own under a loss that adds its gradient. */
function network(
  name: string, does: string, rng: Random, loss: (energy: EnergyNet, y: Numbers) => void,
): Shaper {
  const energy = new EnergyNet(rng, HOLD, WIDTH, 2, SHARP);
  const adam = new Adam(energy.net.weights, 0.01);
  return {
    name, does,
    energies: (points) => energy.energies(points),
    learn(batch) {
      energy.net.clear();
      loss(energy, batch);
      adam.step(energy.net.gradient);
    },
  };
}

function contrastiveDivergence(rng: Random): Shaper {
  let chains: Chains | null = null;
  const loss = (energy: EnergyNet, y: Numbers): void => {
    chains ??= new Chains(y.slice(), 0.05);
    chains.advance(energy, 5, rng);
    heldDifference(energy, y, chains.points, 0.02);
  };
  return network("Contrastive divergence", "pushes up where its own chains go", rng, loss);
}

function latent(rng: Random): Shaper {
  const mixture = new Mixture(16, rng);
  const adam = new Adam(mixture.weights, 0.03);
  return {
    name: "Latent variable", does: "z names one of 16 bells, and is summed out",
    energies: (points) => mixture.energies(points),
    learn(batch) {
      mixture.gradient.fill(0);
      mixture.loss(batch);
      adam.step(mixture.gradient);
    },
  };
}

/** The integral's nodes, moved a little at every step, so that nothing hides between them. */
function nodes(rng: Random): Grid {
  const shift = 0.22 * (rng.uniform() - 0.5);
  return square(-3.5 + shift, 3.5 + shift, 32);
}

export const shapers = (rng: Random): Shaper[] => [
  contrastiveDivergence(rng),
  network("Noise contrast", "tells data from noise drawn around them", rng, (energy, y) =>
    noiseContrast(energy, y, rng.normals(4 * y.length, 2), gaussian(2)),
  ),
  network("Denoising score", "slopes must lead back to the data", rng, (energy, y) =>
    denoisingScore(energy, y, 0.25, rng.normals(y.length)),
  ),
  network("Energy discrepancy", "data below their jostled copies", rng, (energy, y) =>
    energyDiscrepancy(energy, y, away(y, 4, 0.5, rng)),
  ),
  latent(rng),
  network("Exact likelihood", "the integral itself, on a grid", rng, (energy, y) =>
    likelihood(energy, y, nodes(rng)),
  ),
];

/** -mean log p of points, log Z from energies on a grid. */
export const nll = (shaper: Shaper, test: Numbers, grid: Grid, heights: Numbers): number =>
  mean(shaper.energies(test)) + logZ(grid, heights);
