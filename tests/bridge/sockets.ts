/** Counts sockets: those of this process, and the sessions a server has. */
import { connect } from "../../src/connect/connect.ts";
import type { Adapter, Transport } from "../../src/transport/transport.ts";
import { targetOf } from "./drivers.ts";

/** The adapter connect() would take for an unencrypted target, counting. */
export interface CountedAdapter {
  readonly adapter: Adapter;
  /** How many sockets it opened. */
  opened(): number;
  /** How many of them were not closed. */
  left(): number;
}

/** The adapter of this runtime, counting what it opens and what is closed again. */
export async function countedAdapter(): Promise<CountedAdapter> {
  const inner = await adapterOfRuntime();
  const open = new Set<Transport>();
  let opened = 0;
  const adapter: Adapter = {
    ...inner,
    async dial(address, signal, options) {
      const transport = await inner.dial(address, signal, options);
      opened += 1;
      open.add(transport);
      const close = transport.close.bind(transport);
      transport.close = () => {
        open.delete(transport);
        close();
      };
      return transport;
    },
  };
  return { adapter, opened: () => opened, left: () => open.size };
}

/** The adapter connect() takes for what needs no certificate. */
export async function adapterOfRuntime(): Promise<Adapter> {
  if ("Deno" in globalThis) return (await import("../../src/transport/deno.ts")).denoAdapter;
  if ("Bun" in globalThis) return (await import("../../src/transport/bun.ts")).bunAdapter;
  return (await import("../../src/transport/node.ts")).nodeAdapter;
}

/** Waits until a server has no session with this application_name any more. */
export async function untilGone(
  server: { readonly port: number },
  applicationName: string,
): Promise<void> {
  const session = await connect(targetOf(server, { user: "postgres", sslmode: "disable" }));
  const text =
    `select count(*), pg_sleep(0.01) from pg_stat_activity where application_name = '${applicationName}'`;
  try {
    for (;;) {
      const [result] = await session.query(text);
      if (result?.rows[0]?.[0] === "0") return;
    }
  } finally {
    await session.close();
  }
}
