/** Every place where connect() waits for somebody else, made from the states of the machine and what is around it. */
import { Buffer } from "node:buffer";
import type { BearerTokenSource, ConnectOptions } from "../../src/connect/options.ts";
import type { Phase } from "../../src/errors.ts";
import { PHASES, type ReadingPlace } from "../../src/handshake/phases.ts";
import { type Deferred, never } from "../connect/deferred.ts";
import { type FakeOptions, type Play, trust } from "../connect/fake_server.ts";
import { FakeGss } from "../gss/fake_provider.ts";
import { PLAIN } from "../connect/sessions.ts";
import { RFC7677_KEYS } from "../handshake/converse.ts";
import { type OtherPlace, type Way, WAYS_TO_OTHERS, WAYS_TO_READING } from "../handshake/places.ts";
import { CLIENT_NONCE } from "../handshake/vector_case.ts";
import { fixNonce } from "../support/fixed_nonce.ts";
import { interceptPbkdf2 } from "../support/pbkdf2.ts";
import { join } from "../support/vectors.ts";

/** A place where connect() waits. */
export interface WaitingPlace {
  readonly name: string;
  readonly phase: Phase;
  /** Whether connect_timeout runs there: as in libpq it begins with an address, not with its look-up. */
  readonly timed: boolean;
  /** Whether the client reads messages there. */
  readonly reads: boolean;
  /** How many octets of the server the machine has taken by then; undefined where the socket is not its own. */
  readonly octetsTaken: number | undefined;
  readonly target: Readonly<Record<string, string>>;
  options(reached: Deferred): ConnectOptions;
  server(reached: Deferred): FakeOptions;
  play(reached: Deferred): Play;
}

/** The states of a machine that wait for something; a new one is missing here until it has a phase. */
const OTHERS: Readonly<Record<Exclude<OtherPlace, "finished" | "failed">, Phase>> = {
  "await-ssl-answer": "negotiate",
  "await-tls": "tls",
  "await-password": "authenticate",
  "await-token": "authenticate",
  "await-keys": "authenticate",
  "await-gss-answer": "negotiate",
  "await-gss": "gss",
  "await-gss-token": "authenticate",
};

/** The keys themselves, where nothing is to be derived: then there is no other clock than the event loop. */
const KEYS: Readonly<Record<string, string>> = {
  scram_client_key: Buffer.from(RFC7677_KEYS.clientKey).toString("base64"),
  scram_server_key: Buffer.from(RFC7677_KEYS.serverKey).toString("base64"),
};

const nothing: Play = () => Promise.resolve();

const AROUND: readonly WaitingPlace[] = [
  {
    ...blank("the name is looked up", "resolve"),
    timed: false,
    target: { ...PLAIN, host: "db.test" },
    server: (reached) => ({
      resolve() {
        reached.resolve();
        return never();
      },
    }),
  },
  {
    ...blank("the socket is opened", "dial"),
    server: (reached) => ({
      async onDial(_address, _dial, signal) {
        reached.resolve();
        await new Promise<void>((_, reject) => {
          signal?.addEventListener("abort", () => reject(new Error("given up")), { once: true });
        });
      },
    }),
  },
  {
    ...blank("the server is asked whether it is the one wanted", "ready"),
    reads: true,
    target: { ...PLAIN, target_session_attrs: "read-write" },
    play: (reached) => async (peer, connection) => {
      await trust(peer, connection);
      await peer.message();
      reached.resolve();
    },
  },
];

/** All of them. */
export const WAITING_PLACES: readonly WaitingPlace[] = [
  ...AROUND,
  ...(Object.keys(PHASES) as readonly ReadingPlace[]).map((place) =>
    stateOf(place, PHASES[place].phase, WAYS_TO_READING[place])
  ),
  ...(Object.keys(OTHERS) as readonly (keyof typeof OTHERS)[]).map((place) =>
    stateOf(place, OTHERS[place], WAYS_TO_OTHERS[place])
  ),
];

function blank(name: string, phase: Phase): WaitingPlace {
  return {
    name,
    phase,
    timed: true,
    reads: false,
    octetsTaken: undefined,
    target: PLAIN,
    options: () => ({}),
    server: () => ({}),
    play: () => nothing,
  };
}

/** A state of the machine: the server brings it there, then is silent. */
function stateOf(place: string, phase: Phase, way: Way): WaitingPlace {
  const isGss = way.config?.encryption === "gss-request";
  const isTls = way.config?.encryption === "ssl-request";
  return {
    ...blank(`the machine is at "${place}"`, phase),
    reads: place in PHASES,
    octetsTaken: join(...way.flights).length,
    target: {
      ...PLAIN,
      gssencmode: isGss ? "require" : "disable",
      sslmode: isTls ? "require" : "disable",
      max_protocol_version: "3.2",
      ...(place === "await-keys" ? {} : KEYS),
      ...(way.config?.oauth === undefined ? {} : { oauth_issuer: "https://issuer.test" }),
    },
    options: (reached) => ({
      ...(way.config?.oauth === undefined ? {} : {
        bearerToken: tokenAt(place, way, reached),
        allowCleartextPassword: true,
      }),
      ...(way.config?.gss === true
        ? {
          gss: new FakeGss({
            onStep: () => {
              if (place !== "await-gss" && place !== "await-gss-token") return Promise.resolve();
              reached.resolve();
              return never();
            },
          }),
        }
        : {}),
      password: () => {
        if (place !== "await-password") return "pencil";
        reached.resolve();
        return never();
      },
    }),
    server: (reached) => ({
      tls: () => {
        reached.resolve();
        return never();
      },
    }),
    // The machine answers in between; that the server does not wait for it makes no difference.
    play: (reached) => async (peer) => {
      await peer.packet();
      const octets = join(...way.flights);
      if (octets.length > 0) await peer.send(octets);
      if (way.unanswered !== true) reached.resolve();
    },
  };
}

/** A callback that never answers, one that asks the server first, or a token. */
function tokenAt(place: string, way: Way, reached: Deferred): BearerTokenSource {
  if (place !== "await-token") return way.config?.token ?? (() => undefined);
  return () => {
    reached.resolve();
    return never();
  };
}

/**
 * Makes every connect() use the nonce of the vectors, so that the flights of their server fit, and lets no key
 * derivation end if told so.
 *
 * @returns What undoes it.
 */
export function prepareCrypto(place: WaitingPlace, reached: Deferred): () => void {
  const release = fixNonce(Buffer.from(CLIENT_NONCE, "base64"));
  const restore = place.name.includes("await-keys")
    ? interceptPbkdf2(() => {
      reached.resolve();
      return never();
    })
    : undefined;
  return () => {
    release();
    restore?.();
  };
}
