/** Colors: one scale for energy, dark = low, even in lightness; hues that color-blind eyes tell apart. */

type Rgb = [number, number, number];

/** From lightness, chroma and hue (OKLCH) to sRGB in 0 … 255. */
function color(lightness: number, chroma: number, hue: number): Rgb {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ].map((c) => {
    const bounded = Math.min(1, Math.max(0, c));
    const curved = bounded <= 0.0031308 ? 12.92 * bounded : 1.055 * bounded ** (1 / 2.4) - 0.055;
    return Math.round(255 * curved);
  }) as Rgb;
}

/** From deep blue over violet and rose to pale sand. */
function scale(share: number): Rgb {
  const chroma = 0.05 + 0.13 * Math.sin(Math.PI * Math.min(1, 0.12 + 0.86 * share));
  return color(0.17 + 0.78 * share, chroma, 272 + 168 * share ** 1.15);
}

/** 256 colors as RGBA bytes, one after another. */
export const ENERGY = new Uint8ClampedArray(
  Array.from({ length: 256 }, (_, i) => [...scale(i / 255), 255]).flat(),
);

export const css = ([r, g, b]: Rgb | number[], alpha = 1): string => `rgb(${r} ${g} ${b} / ${alpha})`;

/** The color of a share of the energy scale. */
export const energyColor = (share: number, alpha = 1): string => {
  const at = 4 * Math.round(255 * Math.min(1, Math.max(0, share)));
  return css([...ENERGY.slice(at, at + 3)], alpha);
};

/** Hues for what has no order (Okabe, Ito 2008). */
export const HUES = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#cc79a7", "#d55e00", "#0072b2"];

export interface Theme { ink: string; soft: string; line: string; paper: string; card: string }

/** Those of the page, light or dark. */
export function theme(): Theme {
  const style = getComputedStyle(document.documentElement);
  const read = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  return { ink: read("ink"), soft: read("soft"), line: read("line"), paper: read("paper"), card: read("card") };
}
