/** Bundles the explorer into one page: `node build.mjs [FILE]`. */

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import esbuild from "esbuild";
import katex from "katex";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Formulas are set while the page is built: it carries their HTML and no program for them. */
const formulas = {
  name: "formulas",
  setup(build) {
    build.onLoad({ filter: /\.tex$/ }, async ({ path }) => ({
      contents: katex.renderToString(await readFile(path, "utf8"), { displayMode: true }),
      loader: "text",
    }));
  },
};

/** KaTeX's styles with the fonts that the formulas use, inlined. */
async function typography() {
  const folder = here("node_modules/katex/dist/");
  const css = await readFile(`${folder}katex.min.css`, "utf8");
  const used = new Set(["Main-Regular", "Main-Bold", "Math-Italic", "Size1-Regular", "Size2-Regular", "AMS-Regular"]);
  const faces = [];
  for (const [face, name] of css.matchAll(/@font-face\{[^}]*?url\(fonts\/KaTeX_([\w-]+)\.woff2\)[^}]*\}/g)) {
    if (!used.has(name)) continue;
    const font = (await readFile(`${folder}fonts/KaTeX_${name}.woff2`)).toString("base64");
    faces.push(face.replace(/src:[^;}]*/, `src:url(data:font/woff2;base64,${font}) format("woff2")`));
  }
  return faces.join("") + css.replace(/@font-face\{[^}]*\}/g, "");
}

const common = { bundle: true, write: false, plugins: [formulas], charset: "utf8", legalComments: "none" };

/** The whole page as text. */
async function page() {
  const script = await esbuild.build({
    ...common, entryPoints: [here("src/app/main.ts")], minify: true, format: "iife", target: "es2022",
  });
  const style = await esbuild.build({ ...common, entryPoints: [here("src/app/style.css")], minify: true });
  const shell = await readFile(here("src/app/page.html"), "utf8");
  const parts = {
    "/* style */": (await typography()) + style.outputFiles[0].text,
    "/* script */": script.outputFiles[0].text.replaceAll("</script", "<\\/script"),
  };
  return Object.entries(parts).reduce((html, [mark, text]) => html.replace(mark, () => text), shell);
}

await writeFile(process.argv[2] ?? here("../ebmlab/cli/explorer.html"), await page());
