/** Run on Deno by `without_node_test.ts`: a session from a connection string to its end, where whoever asks for what Node has fails. */
export {};

const asked: string[] = [];
const TIMERS = ["Timeout", "Interval", "Immediate"].flatMap((
  what,
) => [`set${what}`, `clear${what}`]);
for (const name of ["process", "Buffer", "global", ...TIMERS]) {
  Object.defineProperty(globalThis, name, {
    configurable: true,
    get() {
      asked.push(name);
      return undefined;
    },
  });
}

// Not before: a static import would run first.
const { connect, createConnector } = await import("../../mod.ts");
const { args } = (globalThis as unknown as { Deno: { readonly args: readonly string[] } }).Deno;
const [target = ""] = args;
const adapters: (string | undefined)[] = [];
const session = await connect(target, {
  onEvent(event) {
    if (event.type === "attempt") adapters.push(event.adapter);
  },
});
await session.query("select 1");
await session.listen("nothing");
await session.close();
await using connector = createConnector(target);
for (const one of [await connector.connect(), await connector.connect()]) await one.close();
console.log(JSON.stringify({ asked, adapters }));
