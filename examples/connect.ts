/**
 * Opens a session as safely as the target asks for, runs one query and says how the session came about.
 *
 *   deno run -A examples/connect.ts "postgres://app:secret@db.example/app?sslmode=verify-full&sslrootcert=system"
 *   bun examples/connect.ts "host=db.example user=app password=secret sslmode=verify-full sslrootcert=system"
 *   node examples/connect.ts ...                                                    (Node 24 and later)
 */
import process from "node:process";
// In your own program: from "pg-handshake".
import { connect, ConnectError, PgHandshakeError } from "../mod.ts";

try {
  await using session = await connect(process.argv[2], {
    signal: AbortSignal.timeout(5_000), // name resolution, TCP, TLS, authentication: everything
    onNotice: ({ severity, message }) => console.log(`${severity}: ${message}`),
  });
  const { authentication, channel, report, serverVersion } = session;
  const bound = authentication.channelBound ? ", bound to the channel" : "";
  console.log(`server   ${serverVersion.text}`);
  console.log(`method   ${authentication.method}${bound}`);
  console.log(
    channel.kind === "plain"
      ? "channel  not encrypted"
      : channel.kind === "gss"
      ? `channel  GSSAPI, with ${channel.gss.service}`
      : `channel  ${channel.tls.protocol}, ${channel.tls.cipher}, verified: ${channel.tls.verified}`,
  );
  console.log(`ready    after ${report.durationMs.toFixed(1)} ms`);

  const [result] = await session.query("select current_user, null as nothing");
  console.log(`columns  ${result?.columns.map(({ name }) => name).join(", ")}`);
  console.log(`row      ${JSON.stringify(result?.rows[0])}`);
} catch (error) {
  // Both have code, sqlState, phase and attempts; ConnectError is what several failed attempts end in.
  if (!(error instanceof PgHandshakeError) && !(error instanceof ConnectError)) throw error;
  console.error(
    `${error.message}\n(${error.code}, SQLSTATE ${error.sqlState}, at "${error.phase}")`,
  );
  process.exitCode = 1;
}
