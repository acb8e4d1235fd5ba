/** A window of the plane in a rectangle of the stage. */

import type { Point } from "../math/landscapes.ts";
import type { Rect } from "./stage.ts";

export interface Window { left: number; right: number; low: number; high: number }

export class View {
  constructor(readonly rect: Rect, readonly window: Window) {}

  x(value: number): number {
    const { left, right } = this.window;
    return this.rect.x + ((value - left) / (right - left)) * this.rect.width;
  }

  y(value: number): number {
    const { low, high } = this.window;
    return this.rect.y + ((high - value) / (high - low)) * this.rect.height;
  }

  at([x, y]: Point): [number, number] {
    return [this.x(x), this.y(y)];
  }

  /** The point of the plane at a place of the stage; null outside. */
  point(x: number, y: number): Point | null {
    const { rect, window } = this;
    const [across, down] = [(x - rect.x) / rect.width, (y - rect.y) / rect.height];
    if (across < 0 || across > 1 || down < 0 || down > 1) return null;
    return [
      window.left + across * (window.right - window.left),
      window.high - down * (window.high - window.low),
    ];
  }
}

export const around = (reach: number): Window => ({ left: -reach, right: reach, low: -reach, high: reach });
