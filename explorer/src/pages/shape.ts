/** Six objectives shape one kind of landscape from the same data, side by side. */

import { drawCurves } from "../draw/curves.ts";
import { drawField, field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import { type Rect, type Stage, tiles } from "../draw/stage.ts";
import { around, View } from "../draw/view.ts";
import { square } from "../math/grid.ts";
import type { Point } from "../math/landscapes.ts";
import { Random } from "../math/random.ts";
import { drawn, sample, type Toy, toys } from "../math/toys.ts";
import { type Numbers, zeros } from "../math/vectors.ts";
import formula from "./shape.tex";
import { type Page, type Scene, type Touch, until, type Value, type Values } from "./page.ts";
import { heart, MOST, strokesOf, written } from "./strokes.ts";
import { BATCH, nll, type Shaper, shapers } from "./shapers.ts";

const GRID = square(-4, 4, 57);
/** What is shown of the grid: to ±3, its inner 43 nodes. */
const [SHOWN, MARGIN] = [43, 7];
const EVERY = 20;
/** CSS pixels above each picture. */
const HEADING = 44;
const COLORS = [HUES[5], HUES[1], HUES[2], HUES[4], HUES[0], "#8b7cf6"];

interface Landscape { shaper: Shaper; heights: Numbers; nll: number; curve: number[]; color: string }

function inner(heights: Numbers): Numbers {
  return zeros(SHOWN * SHOWN).map((_, i) => {
    const [row, column] = [Math.floor(i / SHOWN) + MARGIN, (i % SHOWN) + MARGIN];
    return heights[row * GRID.resolution + column];
  });
}

class Shape implements Scene {
  private rng = new Random(1);
  private toy: Toy = toys.moons;
  private strokes: Point[] = [];
  private test: Numbers = zeros(0);
  private landscapes: Landscape[] = [];
  private steps = 0;
  private turn = 0;
  private look = 0;
  private views: View[] = [];
  private drawing = false;

  constructor(private readonly values: Values) {
    this.strokes = strokesOf(String(values.strokes));
    this.choose(String(values.data));
    this.restart();
  }

  private restart(): void {
    this.rng = new Random(Number(this.values.seed));
    this.steps = this.turn = this.look = 0;
    this.landscapes = shapers(this.rng).map((shaper, i) => {
      const heights = shaper.energies(GRID.points);
      return { shaper, heights, nll: nll(shaper, this.test, GRID, heights), curve: [], color: COLORS[i] };
    });
  }

  private choose(name: string): void {
    if (name === "drawn" && this.strokes.length === 0) this.strokes = heart();
    this.toy = name === "drawn" ? drawn(this.strokes) : toys[name];
    this.test = sample(this.toy, 500, new Random(7));
  }

  set(name: string, value: Value): void {
    if (name === "data") this.choose(String(value));
    if (name === "clear") {
      this.strokes = [];
      this.values.strokes = "";
      this.values.data = "drawn";
    }
    if (name === "restart" || name === "seed") this.restart();
  }

  advance(budget: number): void {
    if (this.drawing) return;
    const left = until(budget);
    do {
      const { shaper } = this.landscapes[this.turn];
      shaper.learn(sample(this.toy, BATCH, this.rng));
      this.turn = (this.turn + 1) % this.landscapes.length;
      if (this.turn === 0 && ++this.steps % EVERY === 0) {
        for (const landscape of this.landscapes) landscape.curve.push(landscape.nll);
        if (this.landscapes[0].curve.length > 400) this.thin();
      }
    } while (left());
    this.refresh();
  }

  private every = EVERY;

  /** Every other value, so that long curves stay short lists. */
  private thin(): void {
    for (const landscape of this.landscapes) landscape.curve = landscape.curve.filter((_, i) => i % 2);
    this.every *= 2;
  }

  /** One landscape a frame is looked at anew. */
  private refresh(): void {
    const seen = this.landscapes[this.look];
    seen.heights = seen.shaper.energies(GRID.points);
    seen.nll = nll(seen.shaper, this.test, GRID, seen.heights);
    this.look = (this.look + 1) % this.landscapes.length;
  }

  private places(width: number): { panels: Rect[]; curves: Rect } {
    const columns = width < 620 ? 2 : 3;
    const [each] = tiles({ x: 0, y: 0, width, height: 0 }, 1, columns, 1);
    const panels = tiles({ x: 0, y: 0, width, height: 0 }, 6, columns, 1 + HEADING / each.width);
    const last = panels[5];
    const top = last.y + last.height + 24;
    return { panels, curves: { x: 0, y: top, width, height: width < 620 ? 200 : 210 } };
  }

  height(width: number): number {
    const { curves } = this.places(width);
    return curves.y + curves.height;
  }

  draw(stage: Stage): void {
    const { panels, curves } = this.places(stage.width);
    const dots = sample(this.toy, stage.width < 620 ? 90 : 160, new Random(3));
    this.views = panels.map(({ x, y, width }) => new View({ x, y: y + HEADING, width, height: width }, around(3)));
    this.landscapes.forEach((landscape, i) => this.panel(stage, panels[i], this.views[i], landscape, dots));
    drawCurves(
      stage, curves,
      this.landscapes.map(({ shaper, curve, color }) => ({
        name: stage.width < 620 ? shaper.name.split(" ").map((word) => word[0]).join("").toUpperCase() : shaper.name,
        color, values: curve,
      })),
      {
        title: "NLL on fresh data, nats: lower is better", low: 1.4, high: 3.4, ticks: [1.5, 2, 2.5, 3],
        every: this.every, floor: { value: this.toy.entropy, words: "the data's own entropy: no model is lower" },
      },
    );
  }

  private panel(stage: Stage, rect: Rect, view: View, { shaper, heights, nll: value, color }: Landscape, dots: Numbers): void {
    const narrow = rect.width < 330;
    stage.within(view.rect, () => {
      drawField(stage, view, field(inner(heights), SHOWN, 9));
      for (let i = 0; i < dots.length; i += 2) {
        const [x, y] = view.at([dots[i], dots[i + 1]]);
        stage.dot(x, y, narrow ? 1.1 : 1.5, "rgb(255 255 255 / 0.8)");
      }
      if (this.drawing) for (const point of this.strokes) stage.dot(...view.at(point), 3, "#ffffff");
    });
    const number = `NLL ${Number.isFinite(value) ? value.toFixed(value < 100 ? 2 : 0) : "∞"}`;
    const soft = { size: narrow ? 12.5 : 13.5, color: stage.theme.soft };
    stage.words(shaper.name, rect.x + 2, rect.y + 15, { size: rect.width < 200 ? 13 : 17, weight: 650 });
    stage.dot(rect.x + 7, rect.y + 30, 4.5, color);
    stage.words(narrow ? number : shaper.does, rect.x + 18, rect.y + 34, soft);
    if (!narrow) stage.words(number, rect.x + rect.width, rect.y + 15, { size: 17, weight: 650, align: "right" });
  }

  grabs(): boolean {
    return this.values.data === "drawn";
  }

  touch(kind: Touch, x: number, y: number): void {
    const point = this.views.map((view) => view.point(x, y)).find(Boolean);
    if (kind === "down" && point) {
      this.drawing = true;
      if (this.values.data !== "drawn") this.strokes = [];
    }
    if (this.drawing && point) this.strokes.push(point);
    if (this.strokes.length > MOST) this.strokes = this.strokes.filter((_, i) => i % 2);
    if (kind === "up" && this.drawing) {
      this.drawing = false;
      this.values.data = "drawn";
      this.values.strokes = written(this.strokes);
      this.choose("drawn");
    }
  }

  summary(): string {
    const each = this.landscapes.map(({ shaper, nll: value }) => `${shaper.name}: ${value.toFixed(2)} nats`);
    return `After ${this.steps} steps, negative log-likelihood on fresh data. ${each.join("; ")}.`;
  }
}

export const shape: Page = {
  id: "shape",
  title: "Shape",
  words:
    "Six objectives shape the same small network from the same points (white): dark is low energy, where data should lie. " +
    "Draw your own data into any picture, and watch all six landscapes follow.",
  formula,
  settings: [
    {
      kind: "choice", name: "data", label: "Data", value: "moons",
      options: { moons: "Two moons", eight: "Eight Gaussians", spirals: "Spirals", checkerboard: "Checkerboard", drawn: "Drawn by hand" },
    },
    { kind: "button", name: "clear", label: "Clear drawing" },
    { kind: "button", name: "restart", label: "Start again" },
    { kind: "kept", name: "strokes", label: "What was drawn", value: "" },
    { kind: "range", name: "seed", label: "Seed", value: 1, low: 1, high: 9, step: 1 },
  ],
  open: (values) => new Shape(values),
};
