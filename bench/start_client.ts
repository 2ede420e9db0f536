/**
 * The whole life of a small program: loads one contender, opens a session, ends it; and again, if told how often. Started
 * by `parts/start.ts` and `parts/profile.ts` with the contender's name and a place in JSON. Asks for nothing of Node's on
 * Deno, where that alone would take longer.
 */
import type { Place } from "./contenders/contender.ts";
import { type ContenderName, loadContender } from "./contenders/table.ts";

const scope = globalThis as unknown as {
  readonly Deno?: { readonly args: readonly string[] };
  readonly process: { readonly argv: readonly string[] };
};
const [name = "", place = "", count = "1"] = scope.Deno?.args ?? scope.process.argv.slice(2);
const contender = await loadContender(name as ContenderName);
for (let left = Number(count); left > 0; left--) {
  const opened = await contender.open(JSON.parse(place) as Place);
  await opened.close();
}
