import * as entry from "../../mod.ts";
import { type Contender, DATABASE, HOST, type Opened, type Place } from "./contender.ts";

/** `connect()`, which knows nothing of earlier connections. */
export const ours: Contender = { open: (place) => connectTo(place, {}) };

/**
 * The same without channel binding, which lets Deno use its own TLS; that takes no roots but the system's, to which
 * the bench adds its own by DENO_CERT.
 */
export const oursUnbound: Contender = { open: (place) => connectTo(place, unbound()) };

async function connectTo(place: Place, more: entry.TargetObject): Promise<Opened> {
  const session = await entry.connect({ ...targetOf(place), ...more });
  return { close: () => session.close() };
}

/** What all of ours are told. */
export function targetOf(place: Place): entry.TargetObject {
  const { port, user, password, encryption, roots } = place;
  return {
    host: HOST,
    port,
    user,
    password,
    dbname: DATABASE,
    ...(encryption === "plain"
      ? { sslmode: "disable" }
      : { sslmode: "verify-full", sslrootcert: roots }),
    ...(encryption === "direct" ? { sslnegotiation: "direct" } : {}),
  };
}

/** What makes Deno's own TLS possible. */
export function unbound(): entry.TargetObject {
  return {
    channel_binding: "disable",
    ...("Deno" in globalThis ? { sslrootcert: "system" } : {}),
  };
}
