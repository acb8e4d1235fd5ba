/** What the keyboard does where no control has it. */

export type Command = "play" | "restart" | "png" | "gif" | { page: number } | { move: [number, number] } | "press";

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1],
};
const LETTERS: Record<string, Command> = { " ": "play", r: "restart", p: "png", g: "gif", Enter: "press" };

export function command(event: KeyboardEvent): Command | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null;
  const focused = event.target instanceof HTMLElement ? event.target : null;
  const onCanvas = focused?.tagName === "CANVAS";
  if (focused && /^(INPUT|SELECT|TEXTAREA)$/.test(focused.tagName)) return null;
  if (focused && /^(BUTTON|A)$/.test(focused.tagName) && /^( |Enter)$/.test(event.key)) return null;
  if (/^[1-9]$/.test(event.key)) return { page: Number(event.key) - 1 };
  if (event.key in ARROWS) return onCanvas ? { move: ARROWS[event.key] } : null;
  if (event.key === "Enter" && !onCanvas) return null;
  return LETTERS[event.key] ?? null;
}
