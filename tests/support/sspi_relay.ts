/** Makes a server that asks for GSSAPI one that asks for SSPI, which only Windows has: the tokens are the same. */
import { Buffer } from "node:buffer";
import { connect } from "node:net";
import { listenOnLoopback } from "./loopback.ts";

const ASKS_GSS = Buffer.from("520000000800000007", "hex");
const ASKS_SSPI = Buffer.from("520000000800000009", "hex");

/** A running relay. */
export interface SspiRelay {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Drops every connection and stops listening. */
  stop(): Promise<void>;
}

/** Starts a relay to a port of 127.0.0.1. */
export async function startSspiRelay(to: number): Promise<SspiRelay> {
  const listener = await listenOnLoopback((client) => {
    const server = connect({ port: to, host: "127.0.0.1", noDelay: true });
    server.on("data", (octets: Uint8Array) => {
      const chunk = Buffer.from(octets);
      // The request is a flight of its own, so it comes whole.
      client.write(chunk.equals(ASKS_GSS) ? ASKS_SSPI : chunk);
    });
    client.on("data", (octets: Uint8Array) => server.write(octets));
    server.on("error", () => client.destroy());
    server.on("end", () => client.end());
    client.on("end", () => server.end());
    return new Promise<void>((resolve) => {
      client.on("close", () => {
        server.destroy();
        resolve();
      });
    });
  });
  return { port: listener.port, stop: listener.close };
}
