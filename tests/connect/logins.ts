/** Servers that ask for a password, and logging in to them. */
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions } from "../../src/connect/options.ts";
import { type FakeServer, GREETING, type Play } from "./fake_server.ts";
import { type ScramSecret, ScramServer } from "./scram_server.ts";

/** Asks for the password in clear; whatever comes is noted and right. */
export function askingClear(received: Uint8Array[] = []): Play {
  return async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationCleartextPassword" });
    const message = await peer.message("password");
    if (message.type === "PasswordMessage") received.push(message.password);
    await peer.send(...GREETING);
  };
}

/** Asks by SCRAM. */
export function askingScram(secret: Partial<ScramSecret> & { readonly password: string }): Play {
  return async (peer) => {
    await peer.packet();
    const scram = new ScramServer(peer, secret);
    await scram.first();
    const data = await scram.proof();
    await peer.send({ type: "AuthenticationSASLFinal", data }, ...GREETING);
  };
}

/** Opens a session, closes it, and waits until the server has seen that. */
export async function login(
  server: FakeServer,
  target: Readonly<Record<string, string>>,
  options: ConnectOptions = {},
): Promise<void> {
  const session = await connect(target, { adapter: server.adapter, ...options });
  await session.close();
  await server.done();
}
