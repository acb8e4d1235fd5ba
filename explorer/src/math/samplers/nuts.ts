/**
 * The no-U-turn sampler (Hoffman, Gelman 2014; Betancourt 2017): the trajectory doubles, forward or
 * backward at random, until it turns back; a point is drawn ∝ exp(-H), later halves preferred.
 */

import type { Point, Potential } from "../landscapes.ts";
import type { Random } from "../random.ts";
import { hamiltonian, leap, type Phase } from "./leapfrog.ts";
import type { State, Step } from "./state.ts";

/** A stretch of trajectory; ends are in the order of growth. */
interface Tree {
  first: Phase; last: Phase;
  /** Σ of momenta, by which U-turns are told. */
  total: Point; logWeight: number; draw: State; straight: boolean;
}

const DIVERGENT = 1000;
const plus = (a: Point, b: Point): Point => [a[0] + b[0], a[1] + b[1]];
const dot = (a: Point, b: Point): number => a[0] * b[0] + a[1] * b[1];
const opens = (total: Point, a: Phase, b: Phase): boolean =>
  dot(total, a.momentum) > 0 && dot(total, b.momentum) > 0;
const logAdd = (a: number, b: number): number =>
  Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));

/** No U-turn over both, nor from one half to the neighbor of the other. */
function joinedStraight(a: Tree, b: Tree): boolean {
  return (
    opens(plus(a.total, b.total), a.first, b.last) &&
    opens(plus(a.total, b.first.momentum), a.first, b.first) &&
    opens(plus(b.total, a.last.momentum), a.last, b.last)
  );
}

export function nuts(u: Potential, state: State, size: number, rng: Random, maxDepth = 8): Step {
  const home: Phase = { state, momentum: [rng.normal(), rng.normal()] };
  const level = hamiltonian(home);
  const path: Point[] = [];

  function leaf(edge: Phase, step: number): Tree {
    const end = leap(u, edge, step);
    path.push(end.state.y);
    const gain = level - hamiltonian(end);
    const sound = gain > -DIVERGENT;
    const logWeight = sound ? gain : -Infinity;
    return { first: end, last: end, total: end.momentum, logWeight, draw: end.state, straight: sound };
  }

  function branch(edge: Phase, step: number, depth: number): Tree {
    if (depth === 0) return leaf(edge, step);
    const a = branch(edge, step, depth - 1);
    if (!a.straight) return a;
    const b = branch(a.last, step, depth - 1);
    if (!b.straight) return b;
    const logWeight = logAdd(a.logWeight, b.logWeight);
    const later = rng.uniform() < Math.exp(b.logWeight - logWeight);
    return {
      first: a.first, last: b.last, total: plus(a.total, b.total), logWeight,
      draw: later ? b.draw : a.draw, straight: joinedStraight(a, b),
    };
  }

  let tree: Tree = {
    first: home, last: home, total: home.momentum, logWeight: 0, draw: state, straight: true,
  };
  for (let depth = 0; depth < maxDepth && tree.straight; depth++) {
    const ahead = rng.uniform() < 0.5;
    // Seen so that growth is at the end.
    const old = ahead ? tree : { ...tree, first: tree.last, last: tree.first };
    const grown = branch(old.last, ahead ? size : -size, depth);
    if (!grown.straight) break;
    const taken = rng.uniform() < Math.exp(grown.logWeight - old.logWeight);
    const both: Tree = {
      first: old.first, last: grown.last, total: plus(old.total, grown.total),
      logWeight: logAdd(old.logWeight, grown.logWeight), draw: taken ? grown.draw : old.draw,
      straight: joinedStraight(old, grown),
    };
    tree = ahead ? both : { ...both, first: both.last, last: both.first };
  }
  return { state: tree.draw, accepted: tree.draw !== state, path };
}
