/** A home directory with a password file, and servers that ask for a password. */
import "./own_environment.ts";
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { fakeServer, LOCAL, type Play } from "./fake_server.ts";

/** A target on this machine without TLS and without a password. */
export const PLAIN: typeof LOCAL & { readonly sslmode: "disable" } = {
  ...LOCAL,
  sslmode: "disable",
};
/** The line of the password file for PLAIN. */
export const LINE = "127.0.0.1:5432:shop:app:from the file\n";

/** A home directory. */
export interface Home {
  /** `$HOME/.pgpass`, which is not there unless a test writes it. */
  readonly file: string;
  /** Writes a file of this folder, readable by its owner only unless said. */
  write(name: string, content: string | Uint8Array, mode?: number): string;
}

/** Runs a test with a home directory of its own. */
export async function withHome(run: (home: Home) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "pg-handshake-home-"));
  const before = process.env["HOME"];
  process.env["HOME"] = folder;
  try {
    await run({
      file: join(folder, ".pgpass"),
      write(name, content, mode = 0o600) {
        const path = join(folder, name);
        writeFileSync(path, content);
        chmodSync(path, mode);
        return path;
      },
    });
  } finally {
    if (before === undefined) delete process.env["HOME"];
    else process.env["HOME"] = before;
    rmSync(folder, { recursive: true });
  }
}

/** Asks for a cleartext password, notes it and lets the client in. */
export function asking(passwords: string[], onAsk: () => void = () => {}): Play {
  return async (peer) => {
    await peer.packet();
    onAsk();
    await peer.send({ type: "AuthenticationCleartextPassword" });
    const message = await peer.message("password");
    assert.ok(message.type === "PasswordMessage");
    passwords.push(new TextDecoder("latin1").decode(message.password));
    await peer.send({ type: "AuthenticationOk" }, { type: "ReadyForQuery", status: "I" });
  };
}

/** The passwords a server gets. */
export async function passwordsTo(
  target: Readonly<Record<string, string>>,
  options: ConnectOptions = {},
): Promise<readonly string[]> {
  const passwords: string[] = [];
  const server = fakeServer(asking(passwords));
  const session = await connect(target, { adapter: server.adapter, ...options });
  await session.close();
  await server.done();
  return passwords;
}
