/** Servers that do exactly what a test tells them. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { createServer as createTlsServer, type TLSSocket } from "node:tls";
import { certificateText } from "./certificates.ts";
import { listenOnLoopback, portOf } from "./loopback.ts";
import { OctetStream } from "./octet_stream.ts";

export { type Flight, type Proxy, type ProxyOptions, startProxy } from "./proxy.ts";

/** One thing a scripted server does. After the last step it closes its side. */
export type ScriptStep =
  /** Sends octets; a text is hexadecimal, white space ignored. */
  | { readonly send: string | Uint8Array }
  /** Waits for so many octets, for one "message" (type octet first), or for one untyped start-up "packet". */
  | { readonly expect: number | "message" | "packet" }
  /** Goes on in TLS, as the server, with a fixture named without its extension. */
  | { readonly tls: string; readonly alpn?: readonly string[] }
  /** Waits until the client closes its side. */
  | { readonly wait: true }
  /** Closes our side; later steps still read. */
  | { readonly close: true }
  /** Resets the connection. */
  | { readonly reset: true };

/** What a scripted server does with one connection. */
export type Script = readonly ScriptStep[];

/** A running scripted server. */
export interface ScriptedServer {
  /** On 127.0.0.1. */
  readonly port: number;
  /** What each connection has sent so far, in the order they were accepted; inside TLS, what TLS carried. */
  received(): readonly Uint8Array[];
  /** How many steps of its script each connection has completed. */
  completed(): readonly number[];
  /** Drops every connection and stops listening. */
  close(): Promise<void>;
}

/**
 * Starts a server that follows a script.
 *
 * @param script The steps for every connection, or a function that gives them by the connection's number, from 0.
 */
export async function startScripted(
  script: Script | ((connection: number) => Script),
): Promise<ScriptedServer> {
  const received: Uint8Array[][] = [];
  const completed: number[] = [];
  const listener = await listenOnLoopback((socket, number) => {
    const octets: Uint8Array[] = [];
    received[number] = octets;
    completed[number] = 0;
    const steps = typeof script === "function" ? script(number) : script;
    return follow(steps, socket, octets, () => completed[number] = (completed[number] ?? 0) + 1);
  });
  return {
    port: listener.port,
    received: () => received.map((chunks) => new Uint8Array(Buffer.concat(chunks))),
    completed: () => [...completed],
    close: listener.close,
  };
}

async function follow(
  steps: Script,
  socket: Socket,
  received: Uint8Array[],
  onCompleted: () => void,
): Promise<void> {
  const listen = (octets: Uint8Array): void => void received.push(octets);
  let stream = new OctetStream(socket, listen);
  for (const step of steps) {
    if ("send" in step) {
      const octets = typeof step.send === "string" ? fromHex(step.send) : step.send;
      stream.socket.write(octets);
    } else if ("expect" in step) {
      const taken = typeof step.expect === "number"
        ? await stream.take(step.expect)
        : await stream.takeMessage(step.expect === "message");
      if (taken === undefined) break;
    } else if ("tls" in step) {
      const inner = await terminateTls(stream, step.tls, step.alpn ?? ["postgresql"]);
      if (inner === undefined) break;
      stream = new OctetStream(inner, listen);
    } else if ("wait" in step) {
      await stream.untilEnd();
    } else if ("close" in step) {
      stream.socket.end();
    } else {
      socket.resetAndDestroy();
      onCompleted();
      return;
    }
    onCompleted();
  }
  stream.socket.end();
}

/** Octets of hexadecimal text, white space ignored. */
function fromHex(text: string): Uint8Array {
  const packed = text.replaceAll(/\s/g, "");
  if (!/^([0-9a-f]{2})*$/i.test(packed)) {
    throw new Error(`Cannot read "${text}": it is not hexadecimal`);
  }
  return new Uint8Array(Buffer.from(packed, "hex"));
}

/**
 * Hands the octets to a TLS server of our own on loopback, as not every runtime can put a server's TLS on top of a
 * socket.
 *
 * @returns The decrypted side; undefined if the handshake fails.
 */
async function terminateTls(
  outer: OctetStream,
  fixture: string,
  alpn: readonly string[],
): Promise<TLSSocket | undefined> {
  const server = createTlsServer({
    cert: certificateText(`${fixture}.crt`),
    key: certificateText(`${fixture}.key`),
    ALPNProtocols: [...alpn],
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const inner = connect(portOf(server), "127.0.0.1");
  try {
    return await new Promise<TLSSocket | undefined>((resolve) => {
      server.on("secureConnection", resolve);
      for (const event of ["tlsClientError", "error"]) server.on(event, () => resolve(undefined));
      inner.on("error", () => resolve(undefined));
      inner.on("close", () => outer.socket.destroy());
      outer.socket.on("close", () => inner.destroy());
      inner.write(outer.release());
      outer.socket.pipe(inner).pipe(outer.socket);
    });
  } finally {
    server.close();
  }
}
