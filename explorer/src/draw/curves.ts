/** Curves over steps, each named where it ends. */

import type { Rect, Stage } from "./stage.ts";

export interface Curve { name: string; color: string; values: readonly number[] }
export interface Axes {
  title: string; low: number; high: number;
  /** Steps from one value to the next. */
  every?: number;
  floor?: { value: number; words: string };
  ticks?: readonly number[];
}

export function drawCurves(stage: Stage, rect: Rect, curves: readonly Curve[], axes: Axes): void {
  const { theme } = stage;
  const names = Math.max(...curves.map((curve) => stage.measure(curve.name, 13))) + 22;
  const [left, top] = [rect.x + 34, rect.y + 24];
  const [width, height] = [rect.width - 34 - names, rect.height - 46];
  const length = Math.max(2, ...curves.map((curve) => curve.values.length));
  const x = (i: number): number => left + (width * i) / (length - 1);
  const y = (value: number): number =>
    top + height * (1 - Math.min(1, Math.max(0, (value - axes.low) / (axes.high - axes.low))));
  stage.words(axes.title, rect.x, rect.y + 12, { size: 13, color: theme.soft });
  for (const tick of axes.ticks ?? [axes.low, (axes.low + axes.high) / 2, axes.high]) {
    stage.line([[left, y(tick)], [left + width, y(tick)]], theme.line, 1);
    const text = String(Math.round(tick * 100) / 100);
    stage.words(text, left - 6, y(tick) + 4, { size: 12, color: theme.soft, align: "right" });
  }
  const steps = `${((length - 1) * (axes.every ?? 1)).toLocaleString("en")} steps`;
  stage.words(steps, left + width, top + height + 18, { size: 12, color: theme.soft, align: "right" });
  if (axes.floor && Number.isFinite(axes.floor.value)) {
    const level = y(axes.floor.value);
    stage.line([[left, level], [left + width, level]], theme.ink, 1, [4, 4]);
    if (axes.floor.words) {
      // Over the lines of ticks, which would cross the words.
      stage.fill({ x: left + 2, y: level + 4, width: stage.measure(axes.floor.words, 12) + 8, height: 15 }, theme.paper);
      stage.words(axes.floor.words, left + 6, level + 15, { size: 12, color: theme.soft });
    }
  }
  for (const { color, values } of curves) {
    const points = values.flatMap((value, i) => (Number.isFinite(value) ? [[x(i), y(value)] as const] : []));
    stage.line(points, color, 2);
  }
  nameEnds(stage, left + width + 8, curves, y, [top + 6, top + height + 10]);
}

/** Names beside the ends of curves, moved apart where they would meet. */
function nameEnds(
  stage: Stage, x: number, curves: readonly Curve[], y: (value: number) => number, [low, high]: [number, number],
): void {
  const ends = curves
    .filter(({ values }) => values.length > 0)
    .map((curve) => ({ curve, at: y(curve.values[curve.values.length - 1]) + 4 }))
    .sort((a, b) => a.at - b.at);
  ends.forEach((end, i) => {
    end.at = Math.max(end.at, low, i ? ends[i - 1].at + 15 : -Infinity);
  });
  for (let i = ends.length - 1; i >= 0; i--) {
    ends[i].at = Math.min(ends[i].at, i + 1 < ends.length ? ends[i + 1].at - 15 : high);
  }
  for (const { curve, at } of ends) {
    if (curve.name) stage.dot(x, at - 4, 4, curve.color);
    stage.words(curve.name, x + 9, at, { size: 13 });
  }
}
