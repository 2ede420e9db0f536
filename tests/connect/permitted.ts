/** Run on Deno with exact permissions: connects to the target of its first argument and prints how that went. */
import { connect } from "../../src/connect/connect.ts";
import { PgHandshakeError } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";

/** What is printed, as JSON. */
export interface Permitted {
  /** What the session reported; undefined if there is none. */
  readonly parameters?: readonly string[];
  readonly adapter?: string | undefined;
  /** How the cancel went that the second argument asked for. */
  readonly cancelled?: string;
  readonly code?: string;
  readonly phase?: string;
  /** Empty if there is a session. */
  readonly message: string;
}

const scope = globalThis as unknown as {
  Deno: { args: readonly string[]; exit(code: number): never };
};

async function run(): Promise<Permitted> {
  const target = JSON.parse(scope.Deno.args[0] ?? "{}");
  let adapter: string | undefined;
  try {
    const session = await connect(target, {
      signal: AbortSignal.timeout(20_000),
      onEvent(event) {
        if (event.type === "attempt") adapter = event.adapter;
      },
    });
    const cancelled = scope.Deno.args[1] === "cancel"
      ? await session.cancel().then(() => "heard", (error) => String(error))
      : "not asked for";
    await session.close();
    return { parameters: [...session.parameters.keys()], adapter, cancelled, message: "" };
  } catch (error) {
    if (!(error instanceof PgHandshakeError || error instanceof ConnectError)) throw error;
    const { code, phase, message } = error;
    return { code, phase, message, adapter };
  }
}

console.log(JSON.stringify(await run()));
scope.Deno.exit(0);
