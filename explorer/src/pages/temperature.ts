/** The ellipse: the free energy of y from the minimum over z to the mean, and q(z) beside it. */

import { drawField, type Field, field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import type { Rect, Stage } from "../draw/stage.ts";
import { around, View } from "../draw/view.ts";
import { angle, type Ellipse, energies, freeEnergy, posterior, shape } from "../math/ellipse.ts";
import type { Point } from "../math/landscapes.ts";
import { type Numbers, zeros } from "../math/vectors.ts";
import formula from "./temperature.tex";
import type { Page, Scene, Touch, Value, Values } from "./page.ts";

const [REACH, RESOLUTION, ATOMS] = [3.2, 57, 72];
const [COLDEST, HOTTEST] = [-2, 1.6];
/** Where the axis of the cut ends. */
const TOP = 10;

const TOLD = {
  ring: "Cold: one valley runs along the whole ellipse.",
  two: "Warm: the valley has closed on the short axis; two are left at the long ends.",
  one: "Hot: all valleys have merged at the center; F is nearly the mean.",
};

/** T of the slider: its ends are the limits. */
function temperatureOf(place: number): number {
  if (place <= COLDEST) return 0;
  return place >= HOTTEST ? Infinity : 10 ** place;
}

const shown = (t: number): string => (t === 0 ? "0: the minimum" : t === Infinity ? "∞: the mean" : t.toPrecision(2));

class Temperature implements Scene {
  private y: Point = [0.6, 0.5];
  private ground: Field | null = null;
  private made = "";
  private phase = 0;
  private view: View | null = null;
  private readonly each = zeros(ATOMS);

  constructor(private readonly values: Values) {}

  set(name: string, value: Value): void {
    if (name === "breathe" && value) this.phase = Math.asin(2 * this.share - 1);
  }

  private get share(): number {
    return (Number(this.values.t) - COLDEST) / (HOTTEST - COLDEST);
  }

  private get ellipse(): Ellipse {
    return { a: Number(this.values.a), b: Number(this.values.b), atoms: ATOMS };
  }

  private get t(): number {
    if (!this.values.breathe) return temperatureOf(Number(this.values.t));
    return 10 ** (COLDEST + (HOTTEST - COLDEST) * (0.5 + 0.49 * Math.sin(this.phase)));
  }

  advance(): void {
    if (this.values.breathe) this.phase += 0.012;
  }

  private settle(): Field {
    const key = `${this.t} ${this.ellipse.a} ${this.ellipse.b}`;
    if (this.ground && key === this.made) return this.ground;
    this.made = key;
    const [step, t, ellipse] = [(2 * REACH) / (RESOLUTION - 1), this.t, this.ellipse];
    const values = zeros(RESOLUTION * RESOLUTION).map((_, i) => {
      const y: Point = [(i % RESOLUTION) * step - REACH, Math.floor(i / RESOLUTION) * step - REACH];
      return freeEnergy(energies(ellipse, y, this.each), t);
    });
    this.ground = field(values, RESOLUTION, 7);
    return this.ground;
  }

  private places(width: number): { map: Rect; posterior: Rect; cut: Rect; told: Rect } {
    if (width < 760) {
      const top = width + 16;
      return {
        map: { x: 0, y: 0, width, height: width },
        told: { x: 0, y: top, width, height: 100 },
        posterior: { x: 0, y: top + 116, width, height: 190 },
        cut: { x: 0, y: top + 326, width, height: 190 },
      };
    }
    const side = Math.min(620, width * 0.52);
    const [x, rest] = [side + 40, width - side - 40];
    return {
      map: { x: 0, y: 0, width: side, height: side },
      told: { x, y: 0, width: rest, height: 110 },
      posterior: { x, y: 128, width: rest, height: (side - 150) / 2 },
      cut: { x, y: 150 + (side - 150) / 2, width: rest, height: (side - 150) / 2 },
    };
  }

  height(width: number): number {
    const { map, cut } = this.places(width);
    return Math.max(map.height, cut.y + cut.height);
  }

  draw(stage: Stage): void {
    const places = this.places(stage.width);
    const each = energies(this.ellipse, this.y).slice();
    const q = posterior(each, Math.min(1e9, Math.max(1e-4, this.t)));
    this.map(stage, places.map, q);
    const t = this.t;
    stage.words(`T = ${shown(t)}`, places.told.x, places.told.y + 32, { size: stage.width < 760 ? 24 : 34, weight: 700 });
    stage.paragraph(TOLD[shape(this.ellipse, t)], places.told.x, places.told.y + 62, places.told.width, { size: 16, color: stage.theme.soft });
    this.posterior(stage, places.posterior, each, q);
    this.cut(stage, places.cut);
  }

  private map(stage: Stage, rect: Rect, q: Numbers): void {
    const view = new View(rect, around(REACH));
    this.view = view;
    const { a, b } = this.ellipse;
    const largest = Math.max(...q);
    stage.within(rect, () => {
      drawField(stage, view, this.settle(), 9);
      const from = view.at(this.y);
      stage.line([[rect.x, from[1]], [rect.x + rect.width, from[1]]], "rgb(255 255 255 / 0.55)", 1, [2, 5]);
      q.forEach((weight, k) => {
        const z = angle(k, ATOMS);
        const to = view.at([a * Math.cos(z), b * Math.sin(z)]);
        if (weight > 0.02 * largest) stage.line([from, to], `rgb(255 255 255 / ${0.5 * Math.sqrt(weight / largest)})`, 1);
        stage.dot(...to, 1.5 + 5 * Math.sqrt(weight), "#ffffff");
      });
      stage.dot(...from, 7, HUES[0], "#ffffff");
      const [x, y] = from;
      const flip = x > rect.x + rect.width - 60;
      stage.words("y", x + (flip ? -20 : 20), y + 5, { size: 17, weight: 700, plate: true, align: flip ? "right" : "left" });
      stage.words("white: where z may be, by q(z | y)", rect.x + 19, rect.y + 28, { size: 14, plate: true });
      stage.words("move the pointer: it is y", rect.x + 19, rect.y + rect.height - 18, { size: 14, plate: true });
    });
  }

  /** E over z as a line, q as bars. */
  private posterior(stage: Stage, rect: Rect, each: Numbers, q: Numbers): void {
    const { theme } = stage;
    stage.words("Around the ellipse: q(z | y), bars, and E(y, z), line", rect.x, rect.y + 12, { size: 13, color: theme.soft });
    const [top, bottom] = [rect.y + 24, rect.y + rect.height - 20];
    const [largest, highest] = [Math.max(...q), Math.max(...each)];
    const bar = rect.width / ATOMS;
    q.forEach((weight, k) => {
      const height = ((bottom - top) * weight) / largest;
      stage.fill({ x: rect.x + k * bar + 0.5, y: bottom - height, width: bar - 1, height }, HUES[1]);
    });
    const points = [...each, each[0]].map((e, k) => [rect.x + (k + 0.5) * bar, bottom - ((bottom - top) * e) / highest] as const);
    stage.line(points.slice(0, ATOMS), HUES[5], 2);
    stage.line([[rect.x, bottom], [rect.x + rect.width, bottom]], theme.line, 1);
    ["z = 0", "½π", "π", "1½π", "2π"].forEach((text, i, all) => {
      const align = i === 0 ? "left" : i === all.length - 1 ? "right" : "center";
      stage.words(text, rect.x + (rect.width * i) / (all.length - 1), bottom + 16, { size: 12, color: theme.soft, align });
    });
  }

  /** F along the horizontal through y, between its two limits. */
  private cut(stage: Stage, rect: Rect): void {
    const { theme } = stage;
    stage.words("F along the dotted line, between minimum and mean", rect.x, rect.y + 12, { size: 13, color: theme.soft });
    const [top, bottom] = [rect.y + 24, rect.y + rect.height - 20];
    const xs = Array.from({ length: 121 }, (_, i) => REACH * (i / 60 - 1));
    const along = (t: number): (readonly [number, number])[] =>
      xs.map((x) => {
        const f = freeEnergy(energies(this.ellipse, [x, this.y[1]], this.each), t);
        return [rect.x + ((x + REACH) / (2 * REACH)) * rect.width, bottom - ((bottom - top) * f) / TOP] as const;
      });
    const plot = { x: rect.x, y: top, width: rect.width, height: bottom - top };
    stage.within(plot, () => {
      stage.line(along(0), theme.soft, 1.5, [5, 4]);
      stage.line(along(Infinity), theme.soft, 1.5, [5, 4]);
      stage.line(along(this.t), HUES[5], 2.5);
      const at = rect.x + ((this.y[0] + REACH) / (2 * REACH)) * rect.width;
      const f = freeEnergy(energies(this.ellipse, this.y, this.each), this.t);
      stage.dot(at, bottom - ((bottom - top) * f) / TOP, 6, HUES[0], "#ffffff");
    }, 0);
    const middle = rect.x + rect.width / 2;
    const level = (t: number): number => bottom - ((bottom - top) * freeEnergy(energies(this.ellipse, [0, this.y[1]], this.each), t)) / TOP;
    stage.words("mean", middle, level(Infinity) - 7, { size: 13, color: theme.soft, align: "center" });
    stage.words("minimum", middle, level(0) + 17 > bottom - 4 ? bottom + 16 : level(0) + 17, { size: 13, color: theme.soft, align: "center" });
    stage.line([[rect.x, bottom], [rect.x + rect.width, bottom]], theme.line, 1);
  }

  touch(_kind: Touch, x: number, y: number): void {
    this.y = this.view?.point(x, y) ?? this.y;
  }

  summary(): string {
    const t = this.t;
    const f = freeEnergy(energies(this.ellipse, this.y, this.each), t);
    return `Temperature ${shown(t)}; y is (${this.y.map((v) => v.toFixed(2)).join(", ")}), its free energy ${f.toFixed(2)}. ${TOLD[shape(this.ellipse, t)]}`;
  }
}

export const temperature: Page = {
  id: "temperature",
  title: "Temperature",
  words:
    "Each z names a point of the ellipse, and E is the squared distance of y from it; the free energy F sums z out at a temperature. " +
    "Cold, only the nearest z counts; as T rises more of them do, and valleys merge.",
  formula,
  settings: [
    { kind: "range", name: "t", label: "Temperature", value: -0.5, low: COLDEST, high: HOTTEST, step: 0.05, shown: (v) => shown(temperatureOf(v)).split(":")[0] },
    { kind: "range", name: "a", label: "a", value: 2.2, low: 0.2, high: 2.8, step: 0.1, shown: (v) => v.toFixed(1) },
    { kind: "range", name: "b", label: "b", value: 1.3, low: 0.2, high: 2.8, step: 0.1, shown: (v) => v.toFixed(1) },
    { kind: "switch", name: "breathe", label: "Warm and cool", value: false },
  ],
  open: (values) => new Temperature(values),
};
