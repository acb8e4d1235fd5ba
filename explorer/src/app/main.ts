/** The explorer: five pages on one stage. */

import { answers } from "../answers.ts";
import { Stage } from "../draw/stage.ts";
import { collapse } from "../pages/collapse.ts";
import { many } from "../pages/many.ts";
import type { Page, Scene, Touch, Value, Values } from "../pages/page.ts";
import { shape } from "../pages/shape.ts";
import { temperature } from "../pages/temperature.ts";
import { walkers } from "../pages/walkers.ts";
import { read, written } from "./address.ts";
import { show } from "./controls.ts";
import { gif } from "./gif.ts";
import { type Command, command } from "./keys.ts";
import { Loop } from "./loop.ts";
import { Recorder, savePng } from "./pictures.ts";
import { Pointer } from "./pointer.ts";

const PAGES: readonly Page[] = [shape, many, temperature, collapse, walkers];

function find<T extends HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no ${id}.`);
  return found as T;
}

class Explorer {
  private page: Page = PAGES[0];
  private values: Values = {};
  private scene: Scene | null = null;
  private recorder: Recorder | null = null;
  private told = 0;
  private readonly stage = new Stage(find<HTMLCanvasElement>("stage"));
  private readonly pointer = new Pointer(this.stage.canvas, (kind, x, y) => this.touch(kind, x, y));
  private readonly loop = new Loop(this.stage, () => this.scene as Scene, (now) => this.seen(now));

  start(): void {
    this.links();
    this.open();
    window.addEventListener("hashchange", () => this.open());
    window.addEventListener("keydown", (event) => {
      const asked = command(event);
      if (!asked) return;
      event.preventDefault();
      this.obey(asked);
    });
    find("play").addEventListener("click", () => this.obey("play"));
    find("png").addEventListener("click", () => this.obey("png"));
    find("gif").addEventListener("click", () => this.obey("gif"));
    find("light").addEventListener("click", () => this.turnLight());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.renew());
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) this.play(false);
    this.loop.start();
  }

  /** Draw anew at the next frame, also where nothing moves. */
  private renew(): void {
    this.loop.stale = true;
  }

  /** Go so many steps on at once. */
  steps(count: number): void {
    for (let step = 0; step < count; step++) this.scene?.advance(0);
    this.loop.draw();
    this.tell();
  }

  private links(): void {
    find("pages").replaceChildren(
      ...PAGES.map(({ id, title }) => Object.assign(document.createElement("a"), { href: `#${id}`, textContent: title })),
    );
  }

  /** Show what the address says. */
  private open(): void {
    const { page, values } = read(location.hash, PAGES);
    if (this.scene && page === this.page && written(page, values) === written(page, this.values)) return;
    [this.page, this.values] = [page, values];
    this.scene = page.open(values);
    document.title = `${page.title} · ebmlab explorer`;
    find("title").textContent = page.title;
    find("words").textContent = page.words;
    find("formula").innerHTML = page.formula;
    this.stage.canvas.setAttribute("aria-label", `${page.title}, a picture to touch: arrow keys move a pointer in it, Enter presses`);
    for (const link of find("pages").querySelectorAll("a")) {
      if (link.hash === `#${page.id}`) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    show(find("controls"), page.settings, values, (name, value) => this.set(name, value));
    this.pointer.mark = null;
    this.loop.draw();
    this.tell();
  }

  private set(name: string, value: Value): void {
    if (name in this.values) this.values[name] = value;
    const before = JSON.stringify(this.values);
    this.scene?.set(name, value);
    this.renew();
    if (JSON.stringify(this.values) !== before) this.refreshed();
    this.remember();
    this.tell();
  }

  /** The scene moved settings of its own accord: the controls follow. */
  private refreshed(): void {
    show(find("controls"), this.page.settings, this.values, (name, value) => this.set(name, value));
  }

  private remember(): void {
    history.replaceState(null, "", written(this.page, this.values));
  }

  private touch(kind: Touch, x: number, y: number): void {
    const before = JSON.stringify(this.values);
    this.scene?.touch?.(kind, x, y);
    this.renew();
    if (JSON.stringify(this.values) === before) return;
    this.refreshed();
    this.remember();
  }

  private obey(asked: Command): void {
    if (asked === "play") this.play(!this.loop.running);
    else if (asked === "png") savePng(this.stage.canvas, `ebmlab-${this.page.id}`);
    else if (asked === "gif") this.record();
    else if (asked === "press") this.pointer.press();
    else if (asked === "restart") this.scene = this.page.open(this.values);
    else if ("move" in asked) this.pointer.move(asked.move);
    else if (PAGES[asked.page]) location.hash = PAGES[asked.page].id;
    this.renew();
  }

  private play(running: boolean): void {
    this.loop.running = running;
    find("play").textContent = running ? "Pause" : "Play";
    this.tell();
  }

  private record(): void {
    if (this.recorder) return;
    const button = find("gif");
    this.recorder = new Recorder(`ebmlab-${this.page.id}`, () => {
      this.recorder = null;
      button.textContent = "GIF";
    });
  }

  private turnLight(): void {
    const root = document.documentElement;
    const dark = root.dataset.light ? root.dataset.light === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.light = dark ? "light" : "dark";
    this.renew();
  }

  /** After each frame: the film, the mark of the keys, the numbers in words. */
  private seen(now: number): void {
    if (this.recorder) {
      this.recorder.see(this.stage.canvas, now);
      if (this.recorder) find("gif").textContent = `GIF ${Math.round(100 * this.recorder.share)} %`;
    }
    this.stage.canvas.style.touchAction = this.scene?.grabs?.() ? "none" : "pan-y";
    if (this.pointer.mark) this.cross(...this.pointer.mark);
    if (now - this.told > 1000) {
      this.told = now;
      find("frames").textContent = `${Math.round(this.loop.fps)} frames a second`;
      this.tell();
    }
  }

  private cross(x: number, y: number): void {
    const { ink } = this.stage.theme;
    for (const [width, color] of [[4, "rgb(255 255 255 / 0.9)"], [1.5, ink]] as const) {
      this.stage.line([[x - 9, y], [x + 9, y]], color, width);
      this.stage.line([[x, y - 9], [x, y + 9]], color, width);
    }
  }

  private tell(): void {
    find("summary").textContent = this.scene?.summary() ?? "";
  }
}

const explorer = new Explorer();
// Whoever asks the page from outside gets its numbers: a test does.
Object.assign(globalThis, { ebmlab: { answers, gif, steps: (count: number) => explorer.steps(count) } });
explorer.start();
