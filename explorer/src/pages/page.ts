/** What a page is: words, a formula, settings, and a scene that moves. */

import type { Stage } from "../draw/stage.ts";

export type Value = number | string | boolean;
export type Values = Record<string, Value>;

interface Named { name: string; label: string }
export interface Choice extends Named { kind: "choice"; value: string; options: Record<string, string> }
export interface Range extends Named {
  kind: "range"; value: number; low: number; high: number; step: number;
  /** How a value reads. */
  shown?: (value: number) => string;
}
export interface Switch extends Named { kind: "switch"; value: boolean }
export interface Button extends Named { kind: "button" }
/** No control: the scene writes it, the address keeps it. */
export interface Kept extends Named { kind: "kept"; value: string }
export type Setting = Choice | Range | Switch | Button | Kept;

export type Touch = "down" | "move" | "up";

export interface Scene {
  /** A setting was moved, or a button pressed. */
  set(name: string, value: Value): void;
  /** Go on for at most about so many milliseconds. */
  advance(budget: number): void;
  draw(stage: Stage): void;
  /** How high the picture is at a width, in CSS pixels. */
  height(width: number): number;
  /** The pointer, or the arrow keys' mark, on the stage. */
  touch?(kind: Touch, x: number, y: number): void;
  /** Whether a finger on the picture draws rather than scrolls the page. */
  grabs?(): boolean;
  /** What is seen, in words, for who does not see it. */
  summary(): string;
}

export interface Page {
  id: string;
  title: string;
  /** Two sentences: what one sees. */
  words: string;
  /** HTML that the build made of a .tex file. */
  formula: string;
  settings: readonly Setting[];
  open(values: Values): Scene;
}

/** Whether time is left. */
export function until(budget: number): () => boolean {
  const end = performance.now() + budget;
  return () => performance.now() < end;
}
