/** The controls of a page, made from its settings. */

import type { Kept, Range, Setting, Value, Values } from "../pages/page.ts";

type Moved = (name: string, value: Value) => void;

function element<K extends keyof HTMLElementTagNameMap>(
  tag: K, properties: Partial<HTMLElementTagNameMap[K]>, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function choice(options: Record<string, string>, value: string, moved: (value: string) => void): HTMLElement {
  const select = element("select", {}, ...Object.entries(options).map(([key, label]) => element("option", { value: key }, label)));
  select.value = value;
  select.addEventListener("change", () => moved(select.value));
  return select;
}

function range({ low, high, step, shown }: Range, value: number, moved: (value: number) => void): HTMLElement[] {
  const input = element("input", { type: "range", min: String(low), max: String(high), step: String(step), value: String(value) });
  const text = (now: number): string => (shown ? shown(now) : String(now));
  const output = element("output", {}, text(value));
  input.setAttribute("aria-valuetext", text(value));
  input.addEventListener("input", () => {
    output.textContent = text(input.valueAsNumber);
    input.setAttribute("aria-valuetext", text(input.valueAsNumber));
    moved(input.valueAsNumber);
  });
  return [input, output];
}

function control(setting: Exclude<Setting, Kept>, values: Values, moved: Moved): HTMLElement {
  const change = (value: Value): void => moved(setting.name, value);
  switch (setting.kind) {
    case "button": {
      const button = element("button", { type: "button" }, setting.label);
      button.addEventListener("click", () => change(true));
      return button;
    }
    case "switch": {
      const input = element("input", { type: "checkbox", checked: Boolean(values[setting.name]) });
      input.setAttribute("role", "switch");
      input.addEventListener("change", () => change(input.checked));
      return element("label", { className: "switch" }, input, setting.label);
    }
    case "choice":
      return element("label", {}, element("span", {}, setting.label), choice(setting.options, String(values[setting.name]), change));
    case "range":
      return element("label", {}, element("span", {}, setting.label), ...range(setting, Number(values[setting.name]), change));
  }
}

/** Shows the controls in place of what is there. */
export function show(place: HTMLElement, settings: readonly Setting[], values: Values, moved: Moved): void {
  const shown = settings.filter((setting) => setting.kind !== "kept");
  place.replaceChildren(...shown.map((setting) => control(setting, values, moved)));
}
