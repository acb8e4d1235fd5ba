import { type Page } from "./page.ts";
import { shape } from "./shape.ts";
export const many: Page = { ...shape, id: "many", title: "many" };
