/** A proxy that records who sent what in turn, for counting round trips. */
import { Buffer } from "node:buffer";
import { connect, type Socket } from "node:net";
import { listenOnLoopback } from "./loopback.ts";

/** What one side sent before the other answered. */
export interface Flight {
  readonly from: "client" | "server";
  readonly octets: Uint8Array;
}

/** A running proxy. */
export interface Proxy {
  /** On 127.0.0.1. */
  readonly port: number;
  /** The flights of each connection, in the order they were accepted. */
  flights(): readonly (readonly Flight[])[];
  /** Drops every connection and stops listening. */
  close(): Promise<void>;
}

/** What a proxy does. */
export interface ProxyOptions {
  readonly target: { readonly host: string; readonly port: number } | { readonly path: string };
  /**
   * How long the server's octets are held back, in milliseconds; 0 unless said. Enough of it, and what the client
   * sends without waiting for an answer is one flight.
   */
  readonly holdMs?: number;
}

/** Starts a proxy that forwards to a server and records who sent what in turn: round trips are client flights. */
export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const recorded: Flight[][] = [];
  const listener = await listenOnLoopback((client, number) => {
    const flights: Flight[] = [];
    recorded[number] = flights;
    const server = connect({ ...options.target, noDelay: true });
    forward(client, server, 0, (octets) => record(flights, "client", octets));
    forward(server, client, options.holdMs ?? 0, (octets) => record(flights, "server", octets));
    return new Promise<void>((resolve) => client.on("close", () => resolve()));
  });
  return { port: listener.port, flights: () => recorded, close: listener.close };
}

function record(flights: Flight[], from: Flight["from"], octets: Uint8Array): void {
  const last = flights.at(-1);
  if (last?.from !== from) {
    flights.push({ from, octets });
    return;
  }
  flights[flights.length - 1] = {
    from,
    octets: new Uint8Array(Buffer.concat([last.octets, octets])),
  };
}

function forward(
  from: Socket,
  to: Socket,
  holdMs: number,
  onForward: (octets: Uint8Array) => void,
): void {
  const later = (act: () => void): void => holdMs === 0 ? act() : void setTimeout(act, holdMs);
  from.on("data", (chunk: Uint8Array) =>
    later(() => {
      onForward(new Uint8Array(chunk));
      to.write(chunk);
    }));
  from.on("end", () => later(() => to.end()));
  from.on("error", () => to.destroy());
  from.on("close", () => later(() => to.destroy()));
}
