/** Codes of two views: without a cure they fall to a point, with one they spread again. */

import { type Curve, drawCurves } from "../draw/curves.ts";
import { HUES } from "../draw/palette.ts";
import { type Rect, type Stage, tiles } from "../draw/stage.ts";
import { around, View } from "../draw/view.ts";
import { normalized, rankMe } from "../math/codes/plane.ts";
import { Random } from "../math/random.ts";
import { sample, toys } from "../math/toys.ts";
import type { Numbers } from "../math/vectors.ts";
import formula from "./collapse.tex";
import { type Cure, cures } from "./cures.ts";
import { type Page, type Scene, until, type Value, type Values } from "./page.ts";

const [BATCH, EVERY] = [48, 5];
/** CSS pixels below each picture of codes. */
const TOLD = 88;
const COLORS = [HUES[5], HUES[2], HUES[4], HUES[1]];

interface Learner { cure: Cure; codes: Numbers; rank: number; ranks: number[]; cured: boolean; color: string }

/** A color by place along the moons, so that neighbors look alike. */
const tint = (x: number, y: number, alpha = 1): string =>
  `hsl(${(220 + 40 * x + 25 * y + 360) % 360} 85% 62% / ${alpha})`;

class Collapse implements Scene {
  private rng = new Random(1);
  private readonly shown = sample(toys.moons, 220, new Random(5));
  private learners: Learner[] = [];
  private steps = 0;
  private views: Rect[] = [];

  constructor(private readonly values: Values) {
    this.restart();
  }

  private restart(): void {
    this.rng = new Random(1);
    this.steps = 0;
    this.learners = cures(this.rng).map((cure, i) => ({
      cure, codes: this.seen(cure), rank: 2, ranks: [], cured: true, color: COLORS[i],
    }));
    this.set("cured", this.values.cured);
  }

  set(name: string, value: Value): void {
    if (name === "restart") this.restart();
    if (name === "cured") for (const learner of this.learners) learner.cured = Boolean(value);
  }

  private seen(cure: Cure): Numbers {
    const codes = cure.encode(this.shown);
    return cure.round ? normalized(codes, 2).unit : codes;
  }

  advance(budget: number): void {
    const left = until(budget);
    do {
      const y = sample(toys.moons, BATCH, this.rng);
      const view = (): Numbers => y.map((value) => value + Number(this.values.jitter) * this.rng.normal());
      for (const learner of this.learners) learner.cure.learn(view(), view(), learner.cured);
      if (++this.steps % EVERY === 0) this.look();
    } while (left());
  }

  private look(): void {
    for (const learner of this.learners) {
      learner.codes = this.seen(learner.cure);
      learner.rank = rankMe(learner.codes);
      learner.ranks.push(learner.rank);
      if (learner.ranks.length > 400) learner.ranks.shift();
    }
  }

  private places(width: number): { data: Rect; panels: Rect[]; curves: Rect } {
    const columns = width < 700 ? 2 : 4;
    const [each] = tiles({ x: 0, y: 0, width, height: 0 }, 1, columns, 1);
    const aspect = 1 + TOLD / each.width;
    if (columns === 2) {
      const [data] = tiles({ x: 0, y: 0, width, height: 0 }, 1, 1, 0.42);
      const panels = tiles({ x: 0, y: data.height + 20, width, height: 0 }, 4, 2, aspect);
      const last = panels[3];
      return { data, panels, curves: { x: 0, y: last.y + last.height + 10, width, height: 180 } };
    }
    const all = tiles({ x: 0, y: 0, width, height: 0 }, 4, 4, aspect);
    const top = all[0].height + 20;
    const data = { x: 0, y: top, width: all[0].width, height: all[0].width };
    const x = all[1].x;
    return { data, panels: all, curves: { x, y: top, width: width - x, height: data.height + 8 } };
  }

  height(width: number): number {
    const { curves } = this.places(width);
    return curves.y + curves.height + 10;
  }

  draw(stage: Stage): void {
    const { data, panels, curves } = this.places(stage.width);
    this.data(stage, data);
    this.views = panels;
    this.learners.forEach((learner, i) => this.codes(stage, panels[i], learner));
    const drawn: Curve[] = this.learners.map(({ cure, color, ranks }) => ({ name: cure.name.split(",")[0], color, values: ranks }));
    drawCurves(stage, curves, drawn, {
      title: "Rank of the codes: 2 fill the plane, 1 is collapse", low: 1, high: 2.05, ticks: [1, 1.5, 2], every: EVERY,
    });
  }

  /** A dark card of the plane, square, at the top of a rectangle. */
  private card(stage: Stage, rect: Rect, reach: number, draw: (view: View) => void): void {
    const side = Math.min(rect.width, rect.height);
    const view = new View({ x: rect.x + (rect.width - side) / 2, y: rect.y, width: side, height: side }, around(reach));
    stage.within({ ...rect, height: side }, () => {
      stage.fill(rect, "#1b1830");
      draw(view);
    });
  }

  private data(stage: Stage, rect: Rect): void {
    this.card(stage, rect, 2.9, (view) => {
      for (let i = 0; i < this.shown.length; i += 2) {
        const [x, y] = [this.shown[i], this.shown[i + 1]];
        stage.dot(...view.at([x, y]), 2.4, tint(x, y));
      }
      stage.words("The data", rect.x + 12, rect.y + 24, { size: 16, weight: 650, color: "#fff" });
      const [x, y] = view.at([this.shown[0], this.shown[1]]);
      const radius = (Number(this.values.jitter) / 5.8) * view.rect.width;
      stage.pen.beginPath();
      stage.pen.arc(x, y, radius, 0, 2 * Math.PI);
      stage.pen.strokeStyle = "#ffffff";
      stage.pen.lineWidth = 1.5;
      stage.pen.stroke();
      stage.words("views move so far", rect.x + 12, rect.y + Math.min(rect.width, rect.height) - 12, { size: 13, color: "#d8d4ee" });
    });
  }

  private codes(stage: Stage, rect: Rect, { cure, codes, rank, cured }: Learner): void {
    this.card(stage, rect, cure.round ? 1.35 : 3.4, (view) => {
      if (cure.round) {
        stage.pen.beginPath();
        stage.pen.arc(view.x(0), view.y(0), view.rect.width / 2.7, 0, 2 * Math.PI);
        stage.pen.strokeStyle = "rgb(255 255 255 / 0.16)";
        stage.pen.lineWidth = 1.5;
        stage.pen.stroke();
      }
      for (let i = 0; i < codes.length; i += 2) {
        const color = tint(this.shown[i], this.shown[i + 1], 0.85);
        stage.dot(...view.at([codes[i], codes[i + 1]]), 2.8, color);
      }
      if (rank < 1.15) {
        const middle = rect.x + rect.width / 2;
        stage.words("collapsed", middle, view.y(0) + 40, { size: rect.width < 240 ? 17 : 22, weight: 700, color: "#fff", align: "center" });
      }
    });
    const narrow = rect.width < 240;
    const top = rect.y + Math.min(rect.width, rect.height);
    stage.words(narrow ? cure.name.split(",")[0] : cure.name, rect.x + 2, top + 22, { size: narrow ? 13 : 16, weight: 650 });
    this.meter(stage, { x: rect.x + 2, y: top + 31, width: rect.width - 4, height: 7 }, rank);
    stage.paragraph(cured ? cure.on : cure.off, rect.x + 2, top + 57, rect.width, { size: narrow ? 12.5 : 14, color: stage.theme.soft });
  }

  private meter(stage: Stage, rect: Rect, rank: number): void {
    stage.within(rect, () => {
      stage.fill(rect, stage.theme.line);
      const share = Math.min(1, Math.max(0.02, rank - 1));
      stage.fill({ ...rect, width: rect.width * share }, share > 0.5 ? HUES[2] : share > 0.2 ? HUES[0] : HUES[5]);
    }, 4);
    stage.words(rank.toFixed(2), rect.x + rect.width, rect.y - 8, { size: 14, align: "right", weight: 600 });
  }

  touch(kind: string, x: number, y: number): void {
    if (kind !== "down") return;
    const at = this.views.findIndex((r) => x >= r.x && x <= r.x + r.width && y >= r.y && y <= r.y + r.height);
    if (at >= 0) this.learners[at].cured = !this.learners[at].cured;
  }

  summary(): string {
    const each = this.learners.map(({ cure, rank, cured }) => `${cure.name}, cure ${cured ? "on" : "off"}: rank ${rank.toFixed(2)}`);
    return `After ${this.steps} steps. ${each.join("; ")}.`;
  }
}

export const collapse: Page = {
  id: "collapse",
  title: "Collapse",
  words:
    "A network gives two views of each point codes that should agree; from agreement alone all of them fall to one point, and the rank meter drops. " +
    "Switch the cures on, and the codes spread again; a click on one picture switches it alone.",
  formula,
  settings: [
    { kind: "switch", name: "cured", label: "Cures on", value: false },
    { kind: "range", name: "jitter", label: "How far views move", value: 0.25, low: 0.05, high: 0.6, step: 0.05, shown: (v) => v.toFixed(2) },
    { kind: "button", name: "restart", label: "Start again" },
  ],
  open: (values) => new Collapse(values),
};
