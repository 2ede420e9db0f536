/**
 * The whole life of a small program: loads one contender, opens one session, ends it. Started by `parts/start.ts` with the
 * contender's name and a place in JSON. Asks for nothing of Node's on Deno, where that alone would take longer.
 */
import type { Place } from "./contenders/contender.ts";
import { type ContenderName, loadContender } from "./contenders/table.ts";

const scope = globalThis as unknown as {
  readonly Deno?: { readonly args: readonly string[] };
  readonly process: { readonly argv: readonly string[] };
};
const [name = "", place = ""] = scope.Deno?.args ?? scope.process.argv.slice(2);
const contender = await loadContender(name as ContenderName);
const opened = await contender.open(JSON.parse(place) as Place);
await opened.close();
