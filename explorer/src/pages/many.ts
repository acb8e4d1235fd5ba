/** One x, many y: four energies of the same pairs, the cut at one x, and sets that hold y. */

import { contour, drawField, field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import { type Rect, type Stage, tiles } from "../draw/stage.ts";
import { View, type Window } from "../draw/view.ts";
import { Random } from "../math/random.ts";
import { pairs, threshold } from "../math/relation.ts";
import { type Numbers, zeros } from "../math/vectors.ts";
import { type Answerer, answerers } from "./answerers.ts";
import formula from "./many.tex";
import { type Page, type Scene, type Touch, until, type Values } from "./page.ts";

const WINDOW: Window = { left: -0.12, right: 1.12, low: -0.12, high: 1.12 };
const [NODES, BATCH] = [63, 96];
const STEP = (WINDOW.right - WINDOW.left) / (NODES - 1);
const AXIS = zeros(NODES).map((_, i) => WINDOW.left + i * STEP);

interface Judged { answerer: Answerer; table: Numbers; tau: number; covered: number; size: number }

/** F of pairs by interpolation in the table (x, y). */
function lookedUp(table: Numbers, data: Numbers): Numbers {
  return zeros(data.length / 2).map((_, n) => {
    const place = (value: number): number => Math.min(NODES - 1.001, Math.max(0, (value - WINDOW.left) / STEP));
    const [x, y] = [place(data[2 * n]), place(data[2 * n + 1])];
    const [i, j] = [Math.floor(x), Math.floor(y)];
    const [u, v] = [x - i, y - j];
    const at = (a: number, b: number): number => table[a * NODES + b];
    return (1 - u) * ((1 - v) * at(i, j) + v * at(i, j + 1)) + u * ((1 - v) * at(i + 1, j) + v * at(i + 1, j + 1));
  });
}

/** Where a cut is at most τ: the lowest and the highest y of each stretch, by interpolation. */
function runs(cut: Numbers, tau: number): [number, number][] {
  const found: [number, number][] = [];
  const cross = (j: number): number => AXIS[j] + (STEP * (tau - cut[j])) / (cut[j + 1] - cut[j]);
  for (let j = 0; j < NODES; j++) {
    if (cut[j] > tau) continue;
    if (j === 0 || cut[j - 1] > tau) found.push([j ? cross(j - 1) : AXIS[0], AXIS[NODES - 1]]);
    if (j + 1 < NODES && cut[j + 1] > tau) found[found.length - 1][1] = cross(j);
  }
  return found;
}

class Many implements Scene {
  private rng = new Random(2);
  private readonly held = pairs(600, new Random(11));
  private readonly fresh = pairs(1000, new Random(12));
  private readonly dots = pairs(260, new Random(13));
  private judged: Judged[] = [];
  private steps = 0;
  private look = 0;
  private x0 = 0.5;
  private views: View[] = [];

  constructor(private readonly values: Values) {
    this.restart();
  }

  private restart(): void {
    this.rng = new Random(2);
    this.steps = 0;
    this.judged = answerers(this.rng).map((answerer) => {
      const table = answerer.table(AXIS, AXIS);
      return { answerer, table, tau: 0, covered: 0, size: 0 };
    });
    for (const each of this.judged) this.judge(each);
  }

  /** τ from held-out pairs, what it covers of fresh ones, and how large the sets are. */
  private judge(each: Judged): void {
    each.tau = threshold(lookedUp(each.table, this.held), Number(this.values.level));
    const found = lookedUp(each.table, this.fresh);
    each.covered = found.filter((f) => f <= each.tau).length / found.length;
    let inside = 0;
    for (let n = 0; n < this.fresh.length; n += 2) inside += this.length(each, this.fresh[n]);
    each.size = inside / (this.fresh.length / 2);
  }

  /** How long the set at x is. */
  private length({ table, tau }: Judged, x: number): number {
    const i = Math.min(NODES - 1, Math.max(0, Math.round((x - WINDOW.left) / STEP)));
    let inside = 0;
    for (let j = 0; j < NODES; j++) inside += Number(table[i * NODES + j] <= tau);
    return inside * STEP;
  }

  set(name: string): void {
    if (name === "restart") this.restart();
    if (name === "level") for (const each of this.judged) this.judge(each);
  }

  advance(budget: number): void {
    const left = until(budget);
    do {
      const batch = pairs(BATCH, this.rng);
      for (const { answerer } of this.judged) answerer.learn(batch);
      this.steps++;
    } while (left());
    const each = this.judged[this.look];
    each.table = each.answerer.table(AXIS, AXIS);
    this.judge(each);
    this.look = (this.look + 1) % this.judged.length;
  }

  private panels(width: number): Rect[] {
    return tiles({ x: 0, y: 0, width, height: 0 }, 4, width < 640 ? 1 : 2, width < 640 ? 0.8 : 0.66, 26);
  }

  height(width: number): number {
    const last = this.panels(width)[3];
    return last.y + last.height;
  }

  draw(stage: Stage): void {
    const panels = this.panels(stage.width);
    this.views = this.judged.map((each, i) => this.panel(stage, panels[i], each));
  }

  private panel(stage: Stage, rect: Rect, each: Judged): View {
    const top = rect.y + 44;
    const side = Math.min(rect.height - 44, rect.width * 0.68);
    const map = { x: rect.x, y: top, width: rect.width * 0.68, height: side };
    const strip = { x: map.x + map.width + 10, y: top, width: rect.width - map.width - 10, height: side };
    const view = new View(map, WINDOW);
    stage.words(each.answerer.name, rect.x + 2, rect.y + 16, { size: 17, weight: 650 });
    stage.words(each.answerer.does, rect.x + 2, rect.y + 35, { size: 13.5, color: stage.theme.soft });
    const right = rect.x + rect.width;
    stage.words(`${each.size.toFixed(2)} wide`, right, rect.y + 16, { size: 17, weight: 650, align: "right" });
    stage.words(`holds ${Math.round(100 * each.covered)} %`, right, rect.y + 35, { size: 13.5, color: stage.theme.soft, align: "right" });
    this.map(stage, view, each);
    this.cut(stage, strip, view, each);
    return view;
  }

  private map(stage: Stage, view: View, { table, tau }: Judged): void {
    const rows = zeros(table.length).map((_, at) => table[(at % NODES) * NODES + Math.floor(at / NODES)]);
    const low = rows.reduce((a, b) => Math.min(a, b));
    const ground = field(rows, NODES, 5 * Math.max(1e-6, tau - low));
    stage.within(view.rect, () => {
      drawField(stage, view, ground, 0);
      for (let n = 0; n < this.dots.length; n += 2) {
        stage.dot(...view.at([this.dots[n], this.dots[n + 1]]), 1.4, "rgb(255 255 255 / 0.75)");
      }
      contour(stage, view, ground, tau, "#ffffff", 2);
      const x = view.x(this.x0);
      stage.line([[x, view.rect.y], [x, view.rect.y + view.rect.height]], HUES[0], 2);
      const { x: left, y: top, width, height } = view.rect;
      stage.words("x", left + width - 20, top + height - 13, { size: 14, plate: true });
      stage.words("y", left + 13, top + 22, { size: 14, plate: true });
    });
  }

  /** F(x₀, y) with y upright as in the map, and the set as bars. */
  private cut(stage: Stage, rect: Rect, view: View, { table, tau }: Judged): void {
    const { theme } = stage;
    const place = Math.min(NODES - 1.001, Math.max(0, (this.x0 - WINDOW.left) / STEP));
    const [i, u] = [Math.floor(place), place - Math.floor(place)];
    const cut = zeros(NODES).map((_, j) => (1 - u) * table[i * NODES + j] + u * table[(i + 1) * NODES + j]);
    const low = table.reduce((a, b) => Math.min(a, b));
    const high = low + 4 * Math.max(1e-6, tau - low);
    const x = (f: number): number => rect.x + 10 + (rect.width - 12) * Math.min(1.05, (f - low) / (high - low));
    stage.within(rect, () => {
      stage.fill(rect, theme.card);
      for (const [low, high] of runs(cut, tau)) {
        const [top, bottom] = [view.y(high), view.y(low)];
        stage.fill({ x: rect.x, y: top, width: rect.width, height: bottom - top }, "rgb(86 180 233 / 0.28)");
      }
      stage.line([[x(tau), rect.y], [x(tau), rect.y + rect.height]], HUES[1], 1.5, [4, 4]);
      stage.words("τ", x(tau) + 5, rect.y + rect.height - 9, { size: 14, color: theme.soft });
      stage.line([...cut].map((f, j) => [x(f), view.y(AXIS[j])] as const), HUES[5], 2.2);
      stage.words(`F(${this.x0.toFixed(2)}, y)`, rect.x + rect.width - 13, rect.y + 22, { size: 12.5, align: "right", plate: true });
    }, 8);
  }

  touch(_kind: Touch, x: number, y: number): void {
    const point = this.views.map((view) => view.point(x, y)).find(Boolean);
    if (point) this.x0 = point[0];
  }

  summary(): string {
    const each = this.judged.map(({ answerer, size, covered }) => `${answerer.name}: sets ${size.toFixed(2)} wide hold ${Math.round(100 * covered)} %`);
    return `After ${this.steps} steps, x = ${this.x0.toFixed(2)}. ${each.join("; ")}.`;
  }
}

export const many: Page = {
  id: "many",
  title: "One x, many y",
  words:
    "In the middle one x has three right y (white points): regression answers with their mean, energies can be low at each. " +
    "The outlined set holds the right y as often as the slider says; the narrower it is, the more is known.",
  formula,
  settings: [
    { kind: "range", name: "level", label: "Coverage", value: 0.9, low: 0.5, high: 0.99, step: 0.01, shown: (v) => `${Math.round(100 * v)} %` },
    { kind: "button", name: "restart", label: "Start again" },
  ],
  open: (values) => new Many(values),
};
