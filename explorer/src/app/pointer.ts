/** Pointer and arrow keys on the stage: both move one mark. */

import type { Touch } from "../pages/page.ts";

const STEP = 12;

export class Pointer {
  /** Where the keys' mark is, in CSS pixels; null until a key moves it. */
  mark: [number, number] | null = null;

  constructor(private readonly canvas: HTMLCanvasElement, private readonly touched: (kind: Touch, x: number, y: number) => void) {
    const listen = (type: string, kind: Touch): void =>
      canvas.addEventListener(type, (event) => this.pointer(event as PointerEvent, kind));
    listen("pointerdown", "down");
    listen("pointermove", "move");
    listen("pointerup", "up");
    listen("pointercancel", "up");
  }

  private pointer(event: PointerEvent, kind: Touch): void {
    const box = this.canvas.getBoundingClientRect();
    if (kind === "down") this.canvas.setPointerCapture(event.pointerId);
    this.mark = null;
    this.touched(kind, event.clientX - box.left, event.clientY - box.top);
  }

  move([dx, dy]: [number, number]): void {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [x, y] = this.mark ?? [width / 2, height / 3];
    const bound = (value: number, top: number): number => Math.min(top - 1, Math.max(1, value));
    this.mark = [bound(x + STEP * dx, width), bound(y + STEP * dy, height)];
    this.touched("move", ...this.mark);
  }

  press(): void {
    const [x, y] = this.mark ?? [this.canvas.clientWidth / 2, this.canvas.clientHeight / 3];
    this.mark = [x, y];
    this.touched("down", x, y);
    this.touched("up", x, y);
  }
}
