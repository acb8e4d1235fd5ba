/** Four energies of pairs (x, y) of scalars in about [0, 1]: how they answer and how they learn. */

import { Adam } from "../math/adam.ts";
import { vicreg } from "../math/codes/vicreg.ts";
import { EnergyNet } from "../math/energy_net.ts";
import { freeEnergy, posterior } from "../math/ellipse.ts";
import { Mlp } from "../math/mlp.ts";
import type { Random } from "../math/random.ts";
import { logSumExp, type Numbers, zeros } from "../math/vectors.ts";

export interface Answerer {
  name: string;
  does: string;
  /** F of each x with each y: (xs, ys). */
  table(xs: Numbers, ys: Numbers): Numbers;
  learn(pairs: Numbers): void;
}

const WIDTH = 24;
/** Networks see [0, 1] as about ±1.7. */
const seen = (value: number): number => 3.4 * (value - 0.5);
const column = (pairs: Numbers, k: number): Numbers => zeros(pairs.length / 2).map((_, i) => seen(pairs[2 * i + k]));
const across = (xs: Numbers, ys: Numbers, of: (i: number, j: number) => number): Numbers =>
  zeros(xs.length * ys.length).map((_, at) => of(Math.floor(at / ys.length), at % ys.length));

/** E = (y - m(x))². */
function regression(rng: Random): Answerer {
  const net = new Mlp(1, WIDTH, 1, rng);
  const adam = new Adam(net.weights, 0.01);
  return {
    name: "Regression", does: "one answer: the mean of all",
    table(xs, ys) {
      const m = net.forward(xs.map(seen));
      return across(xs, ys, (i, j) => (seen(ys[j]) - m[i]) ** 2);
    },
    learn(pairs) {
      const [x, y] = [column(pairs, 0), column(pairs, 1)];
      const m = net.forward(x);
      net.clear();
      net.backward(m.map((value, i) => (2 * (value - y[i])) / y.length));
      adam.step(net.gradient);
    },
  };
}

/** E = network(x, y): the right y against others of the whole range; shown with log Z(x). */
function contrast(rng: Random): Answerer {
  const energy = new EnergyNet(rng, 0, WIDTH);
  const adam = new Adam(energy.net.weights, 0.01);
  const [count, low, high] = [12, -0.1, 1.1];
  return {
    name: "Contrast", does: "right y below random ones",
    table(xs, ys) {
      const points = zeros(2 * xs.length * ys.length).map((_, at) => {
        const pair = Math.floor(at / 2);
        return seen(at % 2 ? ys[pair % ys.length] : xs[Math.floor(pair / ys.length)]);
      });
      const each = energy.energies(points);
      for (let i = 0; i < xs.length; i++) {
        const row = each.subarray(i * ys.length, (i + 1) * ys.length);
        const level = logSumExp(row.map((e) => -e)) - Math.log(ys.length);
        for (let j = 0; j < row.length; j++) row[j] += level;
      }
      return each;
    },
    learn(pairs) {
      const n = pairs.length / 2;
      const points = zeros(2 * n * (count + 1));
      for (let i = 0; i < n; i++) {
        for (let k = 0; k <= count; k++) {
          const at = 2 * (i * (count + 1) + k);
          points[at] = seen(pairs[2 * i]);
          points[at + 1] = seen(k === 0 ? pairs[2 * i + 1] : low + (high - low) * rng.uniform());
        }
      }
      const each = energy.energies(points);
      const pull = zeros(each.length);
      for (let i = 0; i < n; i++) {
        const row = each.subarray(i * (count + 1), (i + 1) * (count + 1));
        const level = logSumExp(row.map((e) => -e));
        row.forEach((e, k) => {
          pull[i * (count + 1) + k] = (Number(k === 0) - Math.exp(-e - level)) / n;
        });
      }
      energy.net.clear();
      energy.pull(pull);
      adam.step(energy.net.gradient);
    },
  };
}

/** E = (y - g(x, z))², z one of three branches, free energy at T. */
function latent(rng: Random): Answerer {
  const [branches, temperature] = [3, 0.03];
  const net = new Mlp(1, WIDTH, branches, rng);
  const adam = new Adam(net.weights, 0.01);
  const distances = (y: number, g: Numbers): Numbers => g.map((value) => (y - value) ** 2);
  return {
    name: "Latent z", does: "z says which of three is meant",
    table(xs, ys) {
      const g = net.forward(xs.map(seen));
      return across(xs, ys, (i, j) =>
        freeEnergy(distances(seen(ys[j]), g.subarray(i * branches, (i + 1) * branches)), temperature),
      );
    },
    learn(pairs) {
      const [x, y] = [column(pairs, 0), column(pairs, 1)];
      const g = net.forward(x);
      const pull = zeros(g.length);
      for (let i = 0; i < y.length; i++) {
        const own = g.subarray(i * branches, (i + 1) * branches);
        const q = posterior(distances(y[i], own), temperature);
        q.forEach((weight, k) => {
          pull[i * branches + k] = (2 * weight * (own[k] - y[i])) / y.length;
        });
      }
      net.clear();
      net.backward(pull);
      adam.step(net.gradient);
    },
  };
}

/** E = ‖f(x) - g(y)‖², kept from collapse by VICReg. */
function embedding(rng: Random): Answerer {
  const dim = 4;
  const [f, g] = [new Mlp(1, WIDTH, dim, rng), new Mlp(1, WIDTH, dim, rng)];
  const [adamF, adamG] = [new Adam(f.weights, 0.005), new Adam(g.weights, 0.005)];
  return {
    name: "VICReg", does: "codes must agree, and vary",
    table(xs, ys) {
      const [hx, hy] = [f.forward(xs.map(seen)), g.forward(ys.map(seen))];
      return across(xs, ys, (i, j) => {
        let total = 0;
        for (let k = 0; k < dim; k++) total += (hx[i * dim + k] - hy[j * dim + k]) ** 2;
        return total;
      });
    },
    learn(pairs) {
      const pull = vicreg(f.forward(column(pairs, 0)), g.forward(column(pairs, 1)), dim);
      f.clear();
      g.clear();
      f.backward(pull.first);
      g.backward(pull.second);
      adamF.step(f.gradient);
      adamG.step(g.gradient);
    },
  };
}

export const answerers = (rng: Random): Answerer[] => [regression(rng), contrast(rng), latent(rng), embedding(rng)];
