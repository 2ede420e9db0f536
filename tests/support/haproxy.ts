/** HAProxy in front of servers, from the Debian package. It knows nothing of PostgreSQL's protocol. */
import { chmodSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { certificateText } from "./certificates.ts";
import { giveAway } from "./postgres_programs.ts";
import { debianProgram, type Program, startProgram } from "./program.ts";

/** What a test wants of its proxy. */
export interface HaproxyOptions {
  /** The port on 127.0.0.1 it forwards to. */
  readonly to: number;
  /**
   * The fixture, named without its extension, with which it terminates TLS for clients; it offers ALPN "postgresql".
   * Octets are passed on as they are unless given.
   */
  readonly terminate?: string;
  /** Whether it speaks direct TLS, as PostgreSQL 17 takes it, to what it forwards to. */
  readonly encryptAgain?: boolean;
}

/**
 * Starts a proxy on 127.0.0.1.
 *
 * @throws {MachineUnavailable} If the package is not installed.
 */
export async function startHaproxy(options: HaproxyOptions): Promise<Program> {
  return await startProgram({
    name: "haproxy",
    executable: debianProgram("haproxy"),
    signal: "SIGTERM",
    ready: "listens",
    prepare(folder, port) {
      const { terminate, encryptAgain = false, to } = options;
      let bind = `bind 127.0.0.1:${port}`;
      if (terminate !== undefined) {
        const file = join(folder, "both.pem");
        write(file, certificateText(`${terminate}.crt`) + certificateText(`${terminate}.key`));
        chmodSync(file, 0o600);
        bind += ` ssl crt ${file} alpn postgresql`;
      }
      const server = `server only 127.0.0.1:${to}`;
      const lines = [
        "global",
        "  maxconn 100",
        "defaults",
        "  mode tcp",
        "  timeout connect 5s",
        "  timeout client 60s",
        "  timeout server 60s",
        "  retries 0",
        "frontend clients",
        `  ${bind}`,
        "  default_backend servers",
        "backend servers",
        `  ${server}${encryptAgain ? " ssl verify none alpn postgresql" : ""}`,
      ];
      write(join(folder, "haproxy.cfg"), `${lines.join("\n")}\n`);
      // "-db": stays in the foreground.
      return ["-db", "-f", join(folder, "haproxy.cfg")];
    },
  });
}

function write(path: string, text: string): void {
  writeFileSync(path, text);
  giveAway(path);
}
