/** Which test files share a process: most are over before their runtime has started. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Folders whose tests start no server, and leave everything as they found it. */
const FOLDERS: readonly string[] = ["auth", "connect", "handshake", "plan", "settings", "wire"];

/**
 * Writes a module for each of those folders that loads its test files, which takes a quarter of the time. Their tests
 * are reported as theirs all the same.
 *
 * @param root What the files are relative to.
 * @param files Test files, with "/" between folders.
 * @param target Where the modules go.
 * @returns What to run in place of the files.
 */
export function loadTogether(
  root: string,
  files: readonly string[],
  target: string,
): readonly string[] {
  const modules: string[] = [];
  for (const folder of FOLDERS) {
    const own = files.filter((file) => folderOf(file) === folder);
    if (own.length === 0) continue;
    const path = join(target, `${folder}_test.mjs`);
    const imports = own.map((file) => `import ${JSON.stringify(urlOf(root, file))};\n`);
    writeFileSync(path, imports.join(""));
    modules.push(path);
  }
  const others = files.filter((file) => !FOLDERS.includes(folderOf(file)));
  return [...modules, ...others.map((file) => `./${file}`)];
}

function folderOf(file: string): string {
  return file.split("/").at(-2) ?? "";
}

function urlOf(root: string, file: string): string {
  return pathToFileURL(join(root, file)).href;
}
