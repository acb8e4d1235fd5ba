/** What a hand draws into the plane [-3, 3]², and how an address spells it. */

import type { Point } from "../math/landscapes.ts";

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const REACH = 3;
/** Points of one drawing; of longer ones every other stays. */
export const MOST = 400;

const letter = (value: number): string =>
  LETTERS[Math.min(63, Math.max(0, Math.round((63 * (value + REACH)) / (2 * REACH))))];

/** Two letters a point, to a 63rd of the plane. */
export const written = (points: readonly Point[]): string => points.map(([x, y]) => letter(x) + letter(y)).join("");

/** The points of such letters; what is none of them is left out. */
export function strokesOf(text: string): Point[] {
  const each = [...text].map((sign) => LETTERS.indexOf(sign)).filter((place) => place >= 0);
  const value = (place: number): number => (2 * REACH * place) / 63 - REACH;
  return Array.from({ length: Math.min(MOST, Math.floor(each.length / 2)) }, (_, i) => [value(each[2 * i]), value(each[2 * i + 1])] as const);
}

/** What is drawn before a hand draws. */
export const heart = (): Point[] =>
  Array.from({ length: 120 }, (_, i) => {
    const t = (2 * Math.PI * i) / 120;
    const up = 13 * Math.cos(t) - 5 * Math.cos(2 * t) - 2 * Math.cos(3 * t) - Math.cos(4 * t);
    return [(2.1 * 16 * Math.sin(t) ** 3) / 16, (2.1 * up) / 16] as const;
  });
