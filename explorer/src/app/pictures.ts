/** The stage as a picture or a film to keep. */

import { type Frame, gif } from "./gif.ts";

function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

export function savePng(canvas: HTMLCanvasElement, name: string): void {
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

/** Collects frames of a canvas, at most so wide, until there are enough; then saves the film. */
export class Recorder {
  private frames: Frame[] = [];
  private last = 0;
  private readonly small = document.createElement("canvas");

  constructor(private readonly name: string, private readonly done: () => void, private readonly count = 40, private readonly widest = 640) {}

  get share(): number {
    return this.frames.length / this.count;
  }

  see(canvas: HTMLCanvasElement, now: number): void {
    if (now - this.last < 100) return;
    this.last = now;
    const first = this.frames[0];
    const scale = Math.min(1, this.widest / canvas.width);
    const width = first?.width ?? Math.round(canvas.width * scale);
    const height = first?.height ?? Math.round(canvas.height * scale);
    [this.small.width, this.small.height] = [width, height];
    const pen = this.small.getContext("2d", { willReadFrequently: true });
    if (!pen) return;
    pen.drawImage(canvas, 0, 0, width, height);
    this.frames.push({ width, height, data: pen.getImageData(0, 0, width, height).data });
    if (this.frames.length < this.count) return;
    save(new Blob([new Uint8Array(gif(this.frames, 10))], { type: "image/gif" }), `${this.name}.gif`);
    this.done();
  }
}
