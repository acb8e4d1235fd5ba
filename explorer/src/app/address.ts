/** State in the address: #page?name=value&…, so that a link shows the same. */

import type { Page, Setting, Value, Values } from "../pages/page.ts";

const parsed = (setting: Setting, text: string): Value | null => {
  switch (setting.kind) {
    case "choice":
      return text in setting.options ? text : null;
    case "switch":
      return text === "1";
    case "range": {
      const number = Number.parseFloat(text);
      return Number.isFinite(number) ? Math.min(setting.high, Math.max(setting.low, number)) : null;
    }
    case "kept":
      return text;
    default:
      return null;
  }
};

export const defaults = (page: Page): Values =>
  Object.fromEntries(page.settings.flatMap((s) => (s.kind === "button" ? [] : [[s.name, s.value]])));

/** Which page, and its settings; what is not understood is left at its default. */
export function read(hash: string, pages: readonly Page[]): { page: Page; values: Values } {
  const [id, query = ""] = hash.replace(/^#/, "").split("?");
  const page = pages.find((each) => each.id === id) ?? pages[0];
  const values = defaults(page);
  const given = new URLSearchParams(query);
  for (const setting of page.settings) {
    const text = given.get(setting.name);
    const value = text === null ? null : parsed(setting, text);
    if (value !== null) values[setting.name] = value;
  }
  return { page, values };
}

/** The address of a page; settings at their defaults are left out. */
export function written(page: Page, values: Values): string {
  const usual = defaults(page);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== usual[name]) query.set(name, typeof value === "boolean" ? String(Number(value)) : String(value));
  }
  const text = query.toString();
  return `#${page.id}${text ? `?${text}` : ""}`;
}
