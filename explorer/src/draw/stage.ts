/** The canvas of a page: sharp on every screen, with words and shapes in plain calls. */

import { theme, type Theme } from "./palette.ts";

export interface Rect { x: number; y: number; width: number; height: number }

export interface Words {
  size?: number; color?: string; align?: CanvasTextAlign; weight?: number;
  /** On a dark plate, to read over a picture. */
  plate?: boolean;
}

const FAMILY = 'ui-sans-serif, system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif';

export class Stage {
  readonly pen: CanvasRenderingContext2D;
  width = 0;
  height = 0;
  theme: Theme = theme();

  constructor(readonly canvas: HTMLCanvasElement) {
    const pen = canvas.getContext("2d", { alpha: false });
    if (!pen) throw new Error("This browser draws no canvas.");
    this.pen = pen;
  }

  /** Takes a size in CSS pixels, and clears. */
  begin(width: number, height: number): void {
    const ratio = Math.min(2, window.devicePixelRatio || 1);
    const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== w || this.canvas.height !== h) {
      this.canvas.width = w;
      this.canvas.height = h;
      this.canvas.style.height = `${height}px`;
    }
    [this.width, this.height, this.theme] = [width, height, theme()];
    this.pen.setTransform(w / width, 0, 0, h / height, 0, 0);
    this.pen.fillStyle = this.theme.paper;
    this.pen.fillRect(0, 0, width, height);
  }

  words(text: string, x: number, y: number, { size = 14, color, align = "left", weight = 500, plate }: Words = {}): void {
    const { pen } = this;
    pen.font = `${weight} ${size}px ${FAMILY}`;
    pen.textAlign = align;
    if (plate) {
      const width = pen.measureText(text).width;
      const left = align === "right" ? x - width : align === "center" ? x - width / 2 : x;
      pen.beginPath();
      pen.roundRect(left - 7, y - 1.12 * size, width + 14, 1.55 * size, 6);
      pen.fillStyle = "rgb(18 14 40 / 0.66)";
      pen.fill();
    }
    pen.fillStyle = color ?? (plate ? "#ffffff" : this.theme.ink);
    pen.fillText(text, x, y);
  }

  /** How wide words come out. */
  measure(text: string, size = 14, weight = 500): number {
    this.pen.font = `${weight} ${size}px ${FAMILY}`;
    return this.pen.measureText(text).width;
  }

  /** Words on as many lines as they need; returns the height they take. */
  paragraph(text: string, x: number, y: number, width: number, style: Words = {}): number {
    const size = style.size ?? 14;
    let [line, row] = ["", 0];
    for (const word of text.split(" ")) {
      const longer = line ? `${line} ${word}` : word;
      if (line && this.measure(longer, size, style.weight) > width) {
        this.words(line, x, y + row++ * size * 1.35, style);
        line = word;
      } else line = longer;
    }
    this.words(line, x, y + row * size * 1.35, style);
    return (row + 1) * size * 1.35;
  }

  line(points: readonly (readonly [number, number])[], color: string, width = 1.5, dash: number[] = []): void {
    const { pen } = this;
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    pen.setLineDash(dash);
    pen.lineJoin = "round";
    pen.lineWidth = width;
    pen.strokeStyle = color;
    pen.stroke();
    pen.setLineDash([]);
  }

  dot(x: number, y: number, radius: number, color: string, rim?: string): void {
    const { pen } = this;
    pen.beginPath();
    pen.arc(x, y, radius, 0, 2 * Math.PI);
    pen.fillStyle = color;
    pen.fill();
    if (!rim) return;
    pen.lineWidth = 1.5;
    pen.strokeStyle = rim;
    pen.stroke();
  }

  fill({ x, y, width, height }: Rect, color: string): void {
    this.pen.fillStyle = color;
    this.pen.fillRect(x, y, width, height);
  }

  /** Draws inside a rectangle with round corners. */
  within({ x, y, width, height }: Rect, draw: () => void, radius = 10): void {
    this.pen.save();
    this.pen.beginPath();
    this.pen.roundRect(x, y, width, height, radius);
    this.pen.clip();
    draw();
    this.pen.restore();
  }
}

/** `count` rectangles in rows of `columns`, of one aspect (height over width). */
export function tiles(area: Rect, count: number, columns: number, aspect: number, gap = 14): Rect[] {
  const width = (area.width - gap * (columns - 1)) / columns;
  return Array.from({ length: count }, (_, i) => ({
    x: area.x + (i % columns) * (width + gap),
    y: area.y + Math.floor(i / columns) * (width * aspect + gap),
    width,
    height: width * aspect,
  }));
}
