/** Sessions of the live tests. */
import "../connect/own_environment.ts";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import type { Session } from "../../src/connect/session.ts";
import type { LiveServer } from "../support/live.ts";

/** libpq's keywords, as far as a test gives them. */
export type Parameters = Readonly<Record<string, string>>;

/** The target for a server on 127.0.0.1, database "app". */
export function targetOf(
  server: Pick<LiveServer, "port">,
  user: string,
  parameters: Parameters = {},
): Parameters {
  return { host: "127.0.0.1", port: String(server.port), dbname: "app", user, ...parameters };
}

/** Uses a session and closes it. */
export async function withSession<Result>(
  target: Parameters,
  use: (session: Session) => Promise<Result> | Result,
  options: ConnectOptions = {},
): Promise<Result> {
  const session = await connect(target, options);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

/** The first value of the first row. */
export async function valueOf(session: Session, text: string): Promise<string | null | undefined> {
  const [result] = await session.query(text);
  return result?.rows[0]?.[0];
}

/** Waits until the session with this process ID runs a query that waits in pg_sleep(). */
export async function untilAsleep(
  server: Pick<LiveServer, "port">,
  processId: number,
): Promise<void> {
  const text = `select wait_event from pg_stat_activity where pid = ${processId}`;
  await withSession(targetOf(server, "postgres", { sslmode: "disable" }), async (session) => {
    while (await valueOf(session, text) !== "PgSleep") await session.query("select pg_sleep(0.01)");
  });
}
