/**
 * Connects with Kerberos in a process of its own, as the library reads its environment at the start of one: the
 * argument is a {@link GssTask} as JSON, the last line of the output a list of {@link GssResult}.
 */
import process from "node:process";
import { connect } from "../../src/connect/connect.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";
import type { Session } from "../../src/connect/session.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import type { GssProvider } from "../../src/gss/provider.ts";

/** How the library is called: a runtime may have several ways. */
export type GssWay = "deno" | "bun" | "koffi" | "node:ffi";

/** What to do, one after the other. */
export interface GssTask {
  readonly way: GssWay;
  /** Path of the GSSAPI library; the usual one unless given. */
  readonly library?: string;
  readonly connects: readonly GssConnect[];
}

/** One connect. */
export interface GssConnect {
  readonly target: Readonly<Record<string, string>>;
  readonly password?: string;
  /** The deadline, in milliseconds; 20 s unless given. */
  readonly deadlineMs?: number;
  /** What to do with the session. */
  readonly then?: "query" | "cancel";
}

/** How it went. */
export interface GssResult {
  readonly error?: { readonly code: string; readonly phase: string; readonly message: string };
  readonly channel?: Session["channel"];
  readonly method?: string;
  /** What `then` gave. */
  readonly said?: string;
  /** How often a timer of 20 ms ticked meanwhile. */
  readonly ticks: number;
  readonly attempts?: readonly string[];
}

const TICK_MS = 20;
const LONG = 300_000;

async function providerOf({ way, library }: GssTask): Promise<GssProvider> {
  const options = library === undefined ? {} : { library };
  switch (way) {
    case "deno":
      return (await import("../../src/gss/deno.ts")).denoGss(options);
    case "bun":
      return (await import("../../src/gss/bun.ts")).bunGss(options);
    default:
      return (await import("../../src/gss/node.ts")).nodeGss({ ...options, ffi: way });
  }
}

async function run(one: GssConnect, gss: GssProvider): Promise<GssResult> {
  let ticks = 0;
  const timer = setInterval(() => ticks += 1, TICK_MS);
  try {
    const session = await connect(one.target, {
      gss,
      signal: AbortSignal.timeout(one.deadlineMs ?? 20_000),
      ...(one.password === undefined ? {} : { password: one.password }),
    });
    const said = await use(session, one.then);
    const { channel, authentication, report } = session;
    await session.close();
    const attempts = report.attempts.map(({ encryption }) => encryption);
    return { channel, method: authentication.method, said, ticks, attempts };
  } catch (error) {
    if (!(error instanceof PgHandshakeError || error instanceof ConnectError)) throw error;
    const { code, phase, message } = error;
    return { error: { code, phase, message }, ticks };
  } finally {
    clearInterval(timer);
  }
}

async function use(session: Session, then: GssConnect["then"]): Promise<string> {
  switch (then) {
    case undefined: {
      const [result] = await session.query("select current_user");
      return result?.rows[0]?.[0] ?? "";
    }
    case "query": {
      const text = "x".repeat(LONG);
      const [result] = await session.query(
        `select gss_authenticated, principal, encrypted, '${text}' = repeat('x', ${LONG}), repeat('y', ${LONG}) ` +
          "from pg_stat_gssapi where pid = pg_backend_pid()",
      );
      const [row = []] = result?.rows ?? [];
      const [authenticated, principal, encrypted, same, long] = row;
      const whole = long === "y".repeat(LONG);
      return [authenticated, principal, encrypted, same, whole].join(" ");
    }
    case "cancel": {
      let over = false;
      const running = session.query("select pg_sleep(60)").catch((error: Error) => error.message)
        .finally(() => over = true);
      // One that comes before the query begins has no effect.
      while (!over) {
        await session.cancel();
        await new Promise((resolve) => setTimeout(resolve, TICK_MS));
      }
      return String(await running);
    }
  }
}

const task = JSON.parse(process.argv[2] ?? "") as GssTask;
const gss = await providerOf(task);
const results: GssResult[] = [];
for (const one of task.connects) results.push(await run(one, gss));
// A thread that still waits for a KDC keeps a process of Node until it gives up, even through process.exit().
process.stdout.write(`${JSON.stringify(results)}\n`, () => process.kill(process.pid, "SIGKILL"));
