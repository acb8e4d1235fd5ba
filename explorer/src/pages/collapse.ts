import { type Page } from "./page.ts";
import { shape } from "./shape.ts";
export const collapse: Page = { ...shape, id: "collapse", title: "collapse" };
