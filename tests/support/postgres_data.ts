/** What every test server holds: its data directory, roles, databases and pg_hba.conf. */
import { join } from "node:path";
import process from "node:process";
import { executeOrThrow } from "./execute.ts";
import {
  identity,
  type PostgresPrograms,
  postgresPrograms,
  type PostgresVersion,
  temporaryFolder,
} from "./postgres_programs.ts";

/** The password of every role that has one, `scram_user` and `unicode_user` excepted. */
export const PASSWORD = "secret";
/** The password of `scram_user`, as in the example of RFC 7677. */
export const SCRAM_PASSWORD = "pencil";
/** The password of `unicode_user`; SASLprep turns it into "IX IX". */
export const UNICODE_PASSWORD = "I\u00ADX \u2168";

/** One statement a line, as `postgres --single` wants it. */
const STANDARD_SQL: readonly string[] = [
  "SET password_encryption = 'scram-sha-256'",
  "CREATE ROLE trust_user LOGIN",
  `CREATE ROLE password_user LOGIN PASSWORD '${PASSWORD}'`,
  `CREATE ROLE scram_user LOGIN PASSWORD '${SCRAM_PASSWORD}'`,
  "CREATE ROLE cert_user LOGIN",
  `CREATE ROLE reject_user LOGIN PASSWORD '${PASSWORD}'`,
  `CREATE ROLE nologin_user NOLOGIN PASSWORD '${PASSWORD}'`,
  `CREATE ROLE limit_user LOGIN CONNECTION LIMIT 0 PASSWORD '${PASSWORD}'`,
  `CREATE ROLE no_tls_user LOGIN PASSWORD '${PASSWORD}'`,
  `CREATE ROLE tls_user LOGIN PASSWORD '${PASSWORD}'`,
  "CREATE ROLE unicode_user LOGIN PASSWORD U&'I\\00ADX \\2168'",
  "SET password_encryption = 'md5'",
  `CREATE ROLE md5_user LOGIN PASSWORD '${PASSWORD}'`,
  "CREATE DATABASE app",
  "CREATE DATABASE closed_db ALLOW_CONNECTIONS false",
];

/** Which method asks which role; `tcp` lines stand for 127.0.0.1 and ::1, `local` for the Unix socket. */
const STANDARD_HBA: readonly (readonly [type: string, role: string, method: string])[] = [
  ["all", "trust_user", "trust"],
  ["all", "password_user", "password"],
  ["all", "md5_user", "md5"],
  ["all", "scram_user", "scram-sha-256"],
  ["all", "unicode_user", "scram-sha-256"],
  ["all", "reject_user", "reject"],
  ["all", "nologin_user", "trust"],
  ["all", "limit_user", "trust"],
  ["hostnossl", "no_tls_user", "scram-sha-256"],
  ["hostssl", "tls_user", "scram-sha-256"],
  ["hostssl", "cert_user", "cert"],
];

const templates = new Map<PostgresVersion, Promise<string>>();

/**
 * A fresh data directory with the standard roles and databases.
 *
 * @param folder The server's own folder; the directory is made as "data" in it.
 * @returns Its path.
 */
export async function makeDataDirectory(version: PostgresVersion, folder: string): Promise<string> {
  let template = templates.get(version);
  if (template === undefined) {
    template = makeTemplate(version, await postgresPrograms(version));
    templates.set(version, template);
  }
  const data = join(folder, "data");
  await executeOrThrow("copy a data directory", "cp", ["-R", "-p", await template, data], {
    ...identity,
    environment: { PATH: process.env["PATH"] },
  });
  return data;
}

/** initdb takes 0.4 s and the roles 0.2 s; copying takes a tenth of that. */
async function makeTemplate(version: PostgresVersion, programs: PostgresPrograms): Promise<string> {
  const folder = temporaryFolder(`template${version}`);
  const data = join(folder, "data");
  const options = { ...identity, cwd: folder, environment: programs.environment };
  const flags = ["-U", "postgres", "-A", "trust", "-N", "--no-locale", "-E", "UTF8"];
  await executeOrThrow("run initdb", programs.initdb, ["-D", data, ...flags], options);
  const single = ["--single", "-D", data, "-c", "fsync=off", "postgres"];
  const output = await executeOrThrow("make the standard roles", programs.postgres, single, {
    ...options,
    input: `${STANDARD_SQL.join("\n")}\n`,
  });
  if (/\b(ERROR|FATAL|PANIC):/.test(output)) {
    throw new Error(`Cannot make the standard roles of PostgreSQL ${version}: ${output}`);
  }
  return data;
}

/**
 * The text of pg_hba.conf.
 *
 * @param first Lines of the test; the first line that fits counts, so they win over the standard ones.
 */
export function hbaText(first: readonly string[], tls: boolean): string {
  const lines = ["local all postgres trust", ...onLoopback("host", "postgres", "trust"), ...first];
  for (const [type, role, method] of STANDARD_HBA) {
    if (type === "hostssl" && !tls) continue;
    if (type === "all") lines.push(`local all ${role} ${method}`);
    lines.push(...onLoopback(type === "all" ? "host" : type, role, method));
  }
  return `${lines.join("\n")}\n`;
}

function onLoopback(type: string, role: string, method: string): readonly string[] {
  return ["127.0.0.1/32", "::1/128"].map((address) => `${type} all ${role} ${address} ${method}`);
}
