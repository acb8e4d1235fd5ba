/** Walkers dropped on a landscape: stuck in one valley, or freed by tempering. */

import { drawCurves } from "../draw/curves.ts";
import { drawField, type Field, field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import type { Rect, Stage } from "../draw/stage.ts";
import { View, type Window } from "../draw/view.ts";
import { square } from "../math/grid.ts";
import { banana, doubleWell, funnel, gaussianMixture, type Point, type Potential, ring } from "../math/landscapes.ts";
import { Random } from "../math/random.ts";
import { rhat } from "../math/rhat.ts";
import { hmc } from "../math/samplers/hmc.ts";
import { langevin } from "../math/samplers/langevin.ts";
import { mala } from "../math/samplers/mala.ts";
import { nuts } from "../math/samplers/nuts.ts";
import { begin, draw, type State, type Step } from "../math/samplers/state.ts";
import { Tempered } from "../math/samplers/tempering.ts";
import { zeros } from "../math/vectors.ts";
import formula from "./walkers.tex";
import { type Page, type Scene, type Touch, until, type Values } from "./page.ts";

interface Land { u: Potential; window: Window; starts: readonly Point[]; height: number }

const box = (x: number, y: number, up = 0): Window => ({ left: -x, right: x, low: up - y, high: up + y });
const FIVE: Point[] = [[-3, 1.6], [3, 1.6], [0, -2.4], [-1.2, 0.2], [1.6, -0.6]];
const LANDS: Record<string, Land> = {
  mixture: { u: gaussianMixture(FIVE, 0.38), window: box(4.8, 3.6), starts: FIVE, height: 14 },
  double: { u: doubleWell(8), window: box(2.4, 1.8), starts: [[-1, 0], [1, 0]], height: 14 },
  ring: { u: ring(2, 0.15), window: box(3.6, 2.7), starts: [[2, 0], [-1, 1.73], [-1, -1.73]], height: 14 },
  banana: { u: banana(1.3, 1, 0.25), window: box(4, 3, 1.4), starts: [[0, -1.6], [1.8, 1.6], [-1.8, 1.6]], height: 12 },
  funnel: { u: funnel(3), window: box(10, 7.5), starts: [[4, 0], [-4, 0]], height: 9 },
};
const KEPT = 400;
const LADDER = [1, 3, 9, 27];

class Walker {
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

class Walkers implements Scene {
  private rng = new Random(5);
  private land: Land = LANDS.mixture;
  private ground: Field;
  private walkers: Walker[] = [];
  private mixing: number[] = [];
  private ticks = 0;
  private view: View | null = null;
  private owed = 0;

  constructor(private readonly values: Values) {
    this.ground = this.settle();
  }

  private settle(): Field {
    this.land = LANDS[String(this.values.landscape)];
    const { window, u, height } = this.land;
    const [columns, rows] = [121, 91];
    const unit = square(0, 1, 2);
    const values = zeros(columns * rows).map((_, i) => {
      const x = unit.low + (i % columns) / (columns - 1);
      const y = Math.floor(i / columns) / (rows - 1);
      return u([window.left + x * (window.right - window.left), window.low + y * (window.high - window.low)]).energy;
    });
    this.ground = field(values, columns, height);
    this.again();
    return this.ground;
  }

  private again(): void {
    this.walkers = [];
    this.mixing = [];
    this.rng = new Random(5);
    const { starts } = this.land;
    for (let i = 0; i < 6; i++) {
      const [x, y] = starts[i % starts.length];
      this.drop([x + 0.1 * this.rng.normal(), y + 0.1 * this.rng.normal()]);
    }
  }

  private drop(y: Point): void {
    if (this.walkers.length >= 24) this.walkers.shift();
    const color = HUES[(this.walkers.length + 1) % HUES.length];
    this.walkers.push(new Walker(this.land.u, y, color));
    this.mixing = [];
  }

  set(name: string): void {
    if (name === "landscape") this.settle();
    if (name === "again") this.again();
    if (name === "sampler") {
      this.mixing = [];
      const here = this.walkers.map(({ y }) => y);
      this.walkers = [];
      for (const y of here) this.drop(y);
    }
    if (name === "clear") this.walkers = [];
  }

  advance(budget: number): void {
    const left = until(budget);
    this.owed += Number(this.values.speed);
    while (this.owed >= 1 && left()) {
      for (const walker of this.walkers) {
        walker.step(String(this.values.sampler), Number(this.values.size), Number(this.values.leaps), this.rng);
      }
      this.owed--;
      if (++this.ticks % 5 === 0 && this.walkers.length > 1) this.judge();
    }
    this.owed = Math.min(this.owed, 1);
  }

  /** R-hat of the walkers' latest steps, the larger of both coordinates. */
  private judge(): void {
    const shortest = Math.min(...this.walkers.map(({ trail }) => trail.length));
    if (shortest < 20) return;
    const along = (k: 0 | 1): number[][] => this.walkers.map(({ trail }) => trail.slice(-shortest).map((y) => y[k]));
    const found = Math.max(rhat(along(0)), rhat(along(1)));
    this.mixing.push(Math.min(found, 99));
    if (this.mixing.length > 300) this.mixing.shift();
  }

  private places(width: number): { map: Rect; curve: Rect } {
    if (width < 700) {
      const map = { x: 0, y: 0, width, height: width * 0.75 };
      return { map, curve: { x: 0, y: map.height + 20, width, height: 170 } };
    }
    const wide = Math.round(width * 0.68);
    const map = { x: 0, y: 0, width: wide, height: wide * 0.75 };
    return { map, curve: { x: wide + 28, y: 190, width: width - wide - 28, height: 230 } };
  }

  height(width: number): number {
    const { map, curve } = this.places(width);
    return Math.max(map.height, curve.y + curve.height + (width < 700 ? 60 : 0));
  }

  draw(stage: Stage): void {
    const { map, curve } = this.places(stage.width);
    const view = new View(map, this.land.window);
    this.view = view;
    stage.within(map, () => {
      drawField(stage, view, this.ground);
      for (const walker of this.walkers) this.trail(stage, view, walker);
      for (const walker of this.walkers) this.walker(stage, view, walker);
      const words = this.values.sampler === "tempering" ? "faint dots: hot replicas, which cross every barrier" : "click to drop a walker";
      stage.words(words, map.x + 14, map.y + map.height - 14, { size: 14, color: "#fff", rim: true });
    });
    const last = this.mixing[this.mixing.length - 1] ?? Number.NaN;
    const beside = stage.width >= 700;
    if (beside) this.verdict(stage, { x: curve.x, y: 0, width: curve.width, height: 180 }, last);
    drawCurves(stage, curve, [{ name: "", color: HUES[0], values: this.mixing.map((r) => Math.min(r, 3)) }], {
      title: "R-hat of the walkers' last steps", low: 1, high: 3, ticks: [1, 2, 3], every: 5,
      floor: { value: 1.01, words: "" },
    });
    if (!beside) this.verdict(stage, { x: 0, y: curve.y + curve.height, width: curve.width, height: 60 }, last);
  }

  private trail(stage: Stage, view: View, { trail, path, color }: Walker): void {
    trail.forEach((y, i) => {
      const [px, py] = view.at(y);
      stage.pen.globalAlpha = 0.08 + (0.5 * i) / trail.length;
      stage.dot(px, py, 1.6, color);
    });
    stage.pen.globalAlpha = 0.9;
    if (path.length) stage.line(path.map((y) => view.at(y)), color, 1.2);
    stage.pen.globalAlpha = 1;
  }

  private walker(stage: Stage, view: View, walker: Walker): void {
    if (this.values.sampler === "tempering") {
      for (const y of walker.hot) stage.dot(...view.at(y), 2.6, "rgb(255 255 255 / 0.35)");
    }
    stage.dot(...view.at(walker.y), 6, walker.color, "#ffffff");
  }

  private verdict(stage: Stage, { x, y, width }: Rect, last: number): void {
    const accepted = this.walkers.reduce((sum, w) => sum + w.accepted / Math.max(1, w.steps), 0) / this.walkers.length;
    const number = Number.isNaN(last) ? "…" : last >= 99 ? "∞" : last.toFixed(2);
    if (stage.width >= 700) {
      stage.words("R-hat", x, y + 18, { size: 15, color: stage.theme.soft });
      stage.words(number, x, y + 70, { size: 52, weight: 700 });
      stage.paragraph(told(last), x, y + 100, width, { size: 15 });
      stage.words(share(accepted), x, y + 160, { size: 14, color: stage.theme.soft });
    } else {
      stage.words(`R-hat ${number}`, x, y + 22, { size: 20, weight: 700 });
      stage.words(share(accepted), x + width, y + 22, { size: 13, color: stage.theme.soft, align: "right" });
      stage.paragraph(told(last), x, y + 44, width, { size: 13 });
    }
  }

  touch(kind: Touch, x: number, y: number): void {
    const point = kind === "down" ? this.view?.point(x, y) : null;
    if (point) this.drop(point);
  }

  summary(): string {
    const last = this.mixing[this.mixing.length - 1];
    return `${this.walkers.length} walkers by ${this.values.sampler} on ${this.values.landscape}, R-hat ${last?.toFixed(2) ?? "not known yet"}. ${told(last ?? Number.NaN)}`;
  }
}

const share = (accepted: number): string =>
  Number.isFinite(accepted) ? `${Math.round(100 * accepted)} % of steps accepted` : "no walkers";

function told(r: number): string {
  if (Number.isNaN(r)) return "Some steps more, and the walkers can be compared.";
  if (r < 1.05) return "Mixed: every walker has seen the same landscape.";
  if (r < 1.3) return "Nearly mixed: the walkers still disagree a little.";
  return "Stuck: each walker knows its own valley only.";
}

export const walkers: Page = {
  id: "walkers",
  title: "Walkers",
  words:
    "Walkers feel the slope, are kicked by noise, and should visit each place as often as its energy allows. " +
    "In separate valleys they get stuck; parallel tempering lends them heat and sets them free.",
  formula,
  settings: [
    {
      kind: "choice", name: "landscape", label: "Landscape", value: "mixture",
      options: { mixture: "Five valleys", double: "Double well", ring: "Ring", banana: "Banana", funnel: "Funnel" },
    },
    {
      kind: "choice", name: "sampler", label: "Sampler", value: "mala",
      options: { langevin: "Langevin", mala: "MALA", hmc: "HMC", nuts: "NUTS", tempering: "Parallel tempering" },
    },
    { kind: "range", name: "size", label: "Step size", value: 0.35, low: 0.05, high: 1.2, step: 0.05, shown: (v) => v.toFixed(2) },
    { kind: "range", name: "leaps", label: "Leaps of HMC", value: 10, low: 1, high: 30, step: 1 },
    { kind: "range", name: "speed", label: "Steps a frame", value: 1, low: 0.1, high: 8, step: 0.1, shown: (v) => v.toFixed(1) },
    { kind: "button", name: "clear", label: "Clear" },
    { kind: "button", name: "again", label: "Start again" },
  ],
  open: (values) => new Walkers(values),
};
