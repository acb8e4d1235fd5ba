/** Where walkers were along the first axis, beside where they should be. */

import type { Field } from "../draw/field.ts";
import { HUES } from "../draw/palette.ts";
import type { Rect, Stage } from "../draw/stage.ts";
import type { Window } from "../draw/view.ts";
import type { Point } from "../math/landscapes.ts";
import { type Numbers, zeros } from "../math/vectors.ts";

const BARS = 40;

/** p of each column of a field of energies, Σ = 1. */
export function shares({ values, columns, low }: Field): Numbers {
  const mass = zeros(columns);
  for (let i = 0; i < values.length; i++) mass[i % columns] += Math.exp(low - values[i]);
  const whole = mass.reduce((a, b) => a + b);
  return mass.map((each) => each / whole);
}

/** The share of points in each of the bars of a window. */
export function visits(trails: readonly (readonly Point[])[], { left, right }: Window): Numbers {
  const counts = zeros(BARS);
  let whole = 0;
  for (const trail of trails) {
    for (const [x] of trail) {
      const bar = Math.floor((BARS * (x - left)) / (right - left));
      if (bar >= 0 && bar < BARS) counts[bar]++;
      whole++;
    }
  }
  return counts.map((count) => count / Math.max(1, whole));
}

export function drawVisits(stage: Stage, rect: Rect, expected: Numbers, seen: Numbers): void {
  const { theme } = stage;
  stage.words("Visits, bars, and p, line, left to right", rect.x, rect.y + 12, { size: 13, color: theme.soft });
  const [top, bottom] = [rect.y + 24, rect.y + rect.height - 4];
  // Both as densities over the width.
  const most = 1.5 * expected.reduce((a, b) => Math.max(a, b)) * expected.length;
  const level = (density: number): number => bottom - (bottom - top) * Math.min(1, density / most);
  const bar = rect.width / BARS;
  seen.forEach((share, i) => {
    const y = level(share * BARS);
    stage.fill({ x: rect.x + i * bar + 0.5, y, width: bar - 1, height: bottom - y }, HUES[1]);
  });
  const points = [...expected].map((share, i) => [rect.x + (rect.width * i) / (expected.length - 1), level(share * expected.length)] as const);
  stage.line(points, HUES[5], 2.2);
  stage.line([[rect.x, bottom], [rect.x + rect.width, bottom]], theme.line, 1);
}
