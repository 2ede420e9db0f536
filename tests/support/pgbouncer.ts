/** PgBouncer in front of a server, from the Debian package. */
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificatePath } from "./certificates.ts";
import { giveAway } from "./postgres_programs.ts";
import { debianProgram, type Program, startProgram } from "./program.ts";

/** What a test wants of its pooler. */
export interface PgBouncerOptions {
  /** Its setting `auth_type`. */
  readonly authType: "trust" | "plain" | "md5" | "scram-sha-256";
  /** Role to password, or to "SCRAM-SHA-256$..." or "md5..." in its place; as in its `auth_file`. */
  readonly users: Readonly<Record<string, string>>;
  /** Database to what the pooler connects to, as in its section `[databases]`. */
  readonly databases: Readonly<Record<string, string>>;
  /** Its `client_tls_sslmode`; the certificate is the fixture "server". "allow" unless said. */
  readonly tls?: "disable" | "allow" | "require";
}

/**
 * Starts a pooler on 127.0.0.1.
 *
 * @throws {MachineUnavailable} If the package is not installed.
 */
export async function startPgBouncer(options: PgBouncerOptions): Promise<Program> {
  return await startProgram({
    name: "pgbouncer",
    executable: debianProgram("pgbouncer"),
    signal: "SIGTERM",
    ready: /process up: PgBouncer/,
    prepare(folder, port) {
      for (const file of ["server.crt", "server.key", "ca.crt"]) {
        copyFileSync(certificatePath(file), join(folder, file));
        chmodSync(join(folder, file), 0o600);
        giveAway(join(folder, file));
      }
      const users = Object.entries(options.users).map((pair) => pair.map(quote).join(" "));
      write(join(folder, "users.txt"), `${users.join("\n")}\n`);
      const lines = [
        "[databases]",
        ...Object.entries(options.databases).map(([name, target]) => `${name} = ${target}`),
        "[pgbouncer]",
        "listen_addr = 127.0.0.1",
        `listen_port = ${port}`,
        "unix_socket_dir =",
        `auth_type = ${options.authType}`,
        `auth_file = ${join(folder, "users.txt")}`,
        `client_tls_sslmode = ${options.tls ?? "allow"}`,
        `client_tls_cert_file = ${join(folder, "server.crt")}`,
        `client_tls_key_file = ${join(folder, "server.key")}`,
        `client_tls_ca_file = ${join(folder, "ca.crt")}`,
      ];
      write(join(folder, "pgbouncer.ini"), `${lines.join("\n")}\n`);
      return [join(folder, "pgbouncer.ini")];
    },
  });
}

/** Whether it offers 3.0 when asked for a later protocol (from 1.23 on) instead of an error. */
export function pgBouncerNegotiates(pooler: Program): boolean {
  const [, major, minor] = /process up: PgBouncer (\d+)\.(\d+)/.exec(pooler.log()) ?? [];
  return Number(major) * 1000 + Number(minor) >= 1023;
}

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  giveAway(path);
}
