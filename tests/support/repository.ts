/** Where this checkout lies, for sources and for their build in `dist/` alike. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * The folder that holds deno.json and package.json.
 *
 * @throws {Error} If no folder above this file holds them.
 */
export function repositoryRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    if (existsSync(join(folder, "deno.json")) && existsSync(join(folder, "package.json"))) {
      return folder;
    }
    const parent = dirname(folder);
    if (parent === folder) {
      throw new Error("Cannot find the repository: no folder above holds deno.json");
    }
    folder = parent;
  }
}
