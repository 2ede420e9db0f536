/** Run by `target_test.ts` with few permissions: says what a target comes to. */
import { host } from "../../src/connect/host.ts";
import { ConfigError } from "../../src/errors.ts";
import { settingsOf } from "./settings_of.ts";

/** The one argument, which Deno shows without a permission. */
const { args } = (globalThis as unknown as { Deno: { args: readonly string[] } }).Deno;

try {
  const { hosts, user, sslmode, service } = await settingsOf(args[0], host);
  console.log(
    JSON.stringify({ host: hosts[0]?.host, port: hosts[0]?.port, user, sslmode, service }),
  );
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  console.log(JSON.stringify({ code: error.code, message: error.message }));
}
