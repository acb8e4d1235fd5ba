/** Walkers dropped on a landscape: stuck in one valley, or freed by tempering. */

import { drawCurves } from "../draw/curves.ts";
import { drawField, type Field, field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import type { Rect, Stage } from "../draw/stage.ts";
import { View } from "../draw/view.ts";
import type { Point } from "../math/landscapes.ts";
import { Random } from "../math/random.ts";
import { rhat } from "../math/rhat.ts";
import { type Numbers, zeros } from "../math/vectors.ts";
import { drawVisits, shares, visits } from "./visits.ts";
import { type Land, LANDS, Walker } from "./walker.ts";
import formula from "./walkers.tex";
import { type Page, type Scene, type Touch, until, type Values } from "./page.ts";

/** CSS pixels from which on numbers stand beside the map. */
const BESIDE = 900;

class Walkers implements Scene {
  private rng = new Random(5);
  private land: Land = LANDS.mixture;
  private ground: Field;
  private expected: Numbers = zeros(0);
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
    const values = zeros(columns * rows).map((_, i) => {
      const x = (i % columns) / (columns - 1);
      const y = Math.floor(i / columns) / (rows - 1);
      return u([window.left + x * (window.right - window.left), window.low + y * (window.high - window.low)]).energy;
    });
    this.ground = field(values, columns, height);
    this.expected = shares(this.ground);
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
    if (name === "landscape") {
      this.settle();
      this.values.size = this.land.size;
    }
    if (name === "again") this.again();
    if (name === "sampler") {
      this.mixing = [];
      const here = this.walkers.map(({ y }) => y);
      this.walkers = [];
      for (const y of here) this.drop(y);
    }
    if (name === "clear") [this.walkers, this.mixing] = [[], []];
  }

  advance(budget: number): void {
    const left = until(budget);
    this.owed += Number(this.values.speed);
    while (this.owed >= 1) {
      for (const walker of this.walkers) {
        walker.step(String(this.values.sampler), Number(this.values.size), Number(this.values.leaps), this.rng);
      }
      this.owed--;
      if (++this.ticks % 5 === 0 && this.walkers.length > 1) this.judge();
      if (!left()) break;
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

  private places(width: number): { map: Rect; verdict: Rect; curve: Rect; visits: Rect } {
    if (width < BESIDE) {
      const map = { x: 0, y: 0, width, height: width * 0.75 };
      const below = (y: number, height: number): Rect => ({ x: 0, y: map.height + y, width, height });
      return { map, verdict: below(8, 60), visits: below(82, 130), curve: below(232, 170) };
    }
    const wide = Math.round(width * 0.68);
    const map = { x: 0, y: 0, width: wide, height: wide * 0.75 };
    const [x, rest] = [wide + 28, width - wide - 28];
    const half = (map.height - 190) / 2;
    return {
      map,
      verdict: { x, y: 0, width: rest, height: 170 },
      curve: { x, y: 174, width: rest, height: half },
      visits: { x, y: 190 + half, width: rest, height: half - 4 },
    };
  }

  height(width: number): number {
    return Math.max(...Object.values(this.places(width)).map(({ y, height }) => y + height));
  }

  draw(stage: Stage): void {
    const { map, verdict, curve, visits: bars } = this.places(stage.width);
    const view = new View(map, this.land.window);
    this.view = view;
    stage.within(map, () => {
      drawField(stage, view, this.ground);
      for (const walker of this.walkers) this.trail(stage, view, walker);
      for (const walker of this.walkers) this.walker(stage, view, walker);
      const words = this.values.sampler === "tempering" ? "faint dots: hot replicas, which cross every barrier" : "click to drop a walker";
      stage.words(words, map.x + 19, map.y + map.height - 18, { size: 14, plate: true });
    });
    const last = this.mixing[this.mixing.length - 1] ?? Number.NaN;
    this.verdict(stage, verdict, last);
    drawCurves(stage, curve, [{ name: "", color: HUES[0], values: this.mixing.map((r) => Math.min(r, 3)) }], {
      title: "R-hat of the walkers' last steps", low: 1, high: 3, ticks: [1, 2, 3], every: 5,
      floor: { value: 1.01, words: "" },
    });
    drawVisits(stage, bars, this.expected, visits(this.walkers.map(({ trail }) => trail), this.land.window));
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
    if (stage.width >= BESIDE) {
      stage.words("R-hat", x, y + 18, { size: 15, color: stage.theme.soft });
      stage.words(number, x, y + 70, { size: 52, weight: 700 });
      stage.paragraph(told(last), x, y + 100, width, { size: 15 });
      stage.words(share(accepted), x, y + 148, { size: 14, color: stage.theme.soft });
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
  return "Stuck: each walker knows its own part only.";
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
