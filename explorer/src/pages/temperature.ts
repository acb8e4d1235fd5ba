import { type Page } from "./page.ts";
import { shape } from "./shape.ts";
export const temperature: Page = { ...shape, id: "temperature", title: "temperature" };
