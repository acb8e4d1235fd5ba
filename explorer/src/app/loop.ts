/** Frames: what drawing leaves of each goes into the scene's numbers. */

import type { Stage } from "../draw/stage.ts";
import type { Scene } from "../pages/page.ts";

/** Milliseconds: forty frames a second where they can be had. */
const FRAME = 25;

export class Loop {
  running = true;
  /** Whether the picture is not what the scene is. */
  stale = true;
  fps = 60;
  private last = 0;
  private spent = 4;

  constructor(
    private readonly stage: Stage,
    private readonly scene: () => Scene,
    private readonly seen: (now: number) => void,
  ) {}

  start(): void {
    const frame = (now: number): void => {
      const gap = now - this.last;
      this.last = now;
      if (gap > 0 && gap < 1000) this.fps += 0.05 * (1000 / gap - this.fps);
      if (this.running) this.scene().advance(Math.max(6, FRAME - this.spent));
      if (this.running || this.stale || this.stage.canvas.clientWidth !== this.stage.width) this.draw();
      this.seen(now);
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }

  draw(): void {
    this.stale = false;
    const from = performance.now();
    const width = this.stage.canvas.clientWidth;
    if (width === 0) return;
    this.stage.begin(width, Math.ceil(this.scene().height(width)));
    this.scene().draw(this.stage);
    this.spent += 0.1 * (performance.now() - from - this.spent);
  }
}
