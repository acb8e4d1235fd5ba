/** A landscape in color with contour lines, from energies on a square of nodes. */

import { ENERGY } from "./palette.ts";
import type { Stage } from "./stage.ts";
import type { View } from "./view.ts";

/** Energies (rows, columns), the lowest row first, and the two that end the scale. */
export interface Field { values: ArrayLike<number>; columns: number; rows: number; low: number; high: number }

/** Of values, from their minimum to so many nats above. */
export function field(values: ArrayLike<number>, columns: number, height: number): Field {
  let low = Infinity;
  for (let i = 0; i < values.length; i++) low = Math.min(low, values[i]);
  return { values, columns, rows: values.length / columns, low, high: low + height };
}

const small = typeof document === "undefined" ? null : document.createElement("canvas");

/** Steep ends of the scale are told apart by its square root. */
export const share = ({ low, high }: Field, value: number): number =>
  Math.sqrt(Math.min(1, Math.max(0, (value - low) / (high - low))));

export function drawField(stage: Stage, view: View, field: Field, lines = 7): void {
  if (!small) return;
  const { columns, rows, values } = field;
  const { x, y, width, height } = view.rect;
  [small.width, small.height] = [columns, rows];
  const pen = small.getContext("2d");
  if (!pen) return;
  const image = pen.createImageData(columns, rows);
  for (let j = 0; j < rows; j++) {
    for (let i = 0; i < columns; i++) {
      const from = 4 * Math.round(255 * share(field, values[j * columns + i]));
      const to = 4 * ((rows - 1 - j) * columns + i);
      for (let c = 0; c < 4; c++) image.data[to + c] = ENERGY[from + c];
    }
  }
  pen.putImageData(image, 0, 0);
  stage.pen.imageSmoothingEnabled = true;
  stage.pen.imageSmoothingQuality = "high";
  // Nodes lie in the middle of their pixels, the outermost on the edges of the window.
  stage.pen.drawImage(small, 0.5, 0.5, columns - 1, rows - 1, x, y, width, height);
  for (let k = 1; k <= lines; k++) {
    const level = field.low + (field.high - field.low) * (k / (lines + 1)) ** 2;
    contour(stage, view, field, level, "rgb(255 255 255 / 0.22)", 1);
  }
}

/** The line where the field has one height, by marching squares. */
export function contour(
  stage: Stage, view: View, { values, columns, rows }: Field, level: number, color: string, width: number,
): void {
  const { pen } = stage;
  const { x, y, width: across, height: down } = view.rect;
  const [dx, dy] = [across / (columns - 1), down / (rows - 1)];
  pen.beginPath();
  for (let j = 0; j + 1 < rows; j++) {
    for (let i = 0; i + 1 < columns; i++) {
      const at = j * columns + i;
      const [a, b, c, d] = [values[at], values[at + 1], values[at + columns + 1], values[at + columns]];
      const ends: [number, number][] = [];
      const cross = (p: number, q: number): number => (level - p) / (q - p);
      if (a < level !== b < level) ends.push([i + cross(a, b), j]);
      if (b < level !== c < level) ends.push([i + 1, j + cross(b, c)]);
      if (d < level !== c < level) ends.push([i + cross(d, c), j + 1]);
      if (a < level !== d < level) ends.push([i, j + cross(a, d)]);
      for (let k = 0; k + 1 < ends.length; k += 2) {
        pen.moveTo(x + ends[k][0] * dx, y + down - ends[k][1] * dy);
        pen.lineTo(x + ends[k + 1][0] * dx, y + down - ends[k + 1][1] * dy);
      }
    }
  }
  pen.strokeStyle = color;
  pen.lineWidth = width;
  pen.stroke();
}
