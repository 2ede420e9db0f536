import type { ChannelFacts } from "../auth/channel.ts";
import { ConnectionError, PgHandshakeError, PolicyError, ProtocolError } from "../errors.ts";
import type { GssContext, GssContextRequest, GssProvider, GssStep } from "../gss/provider.ts";
import type { Transport } from "../transport/transport.ts";
import {
  GssDeframer,
  gssFrame,
  MAX_GSS_PACKET,
  MAX_GSS_TOKEN,
  MAX_GSS_TOKEN_FRAME,
} from "../wire/gss_frames.ts";
import type { Clock } from "./clock.ts";
import { GssTransport, providerFailure } from "./gss_transport.ts";

/** Kerberos takes one token of the server; beyond this bound of ours nothing sensible is going on. */
const MAX_ROUNDS = 16;
/** A context that packs less than this into a packet is of no use; Kerberos packs 16 320 octets. */
const MIN_PLAIN = 64;

/** Who encrypts, and for which service. */
export interface GssSetup {
  readonly provider: GssProvider;
  readonly request: GssContextRequest;
}

/** A transport that is encrypted, and its facts. */
export interface GssSecured {
  readonly transport: Transport;
  readonly channel: ChannelFacts;
}

/**
 * Sets GSSAPI encryption up on a transport whose server answered `G`: tokens in frames, the client's first, until the
 * context is complete (libpq, pqsecure_open_gss).
 *
 * @param clock Bounds what cannot be stopped itself: a provider that waits for a KDC.
 * @throws {ConnectionError} `gss-failed` with the library's own words; `connection-lost`, `timeout`, `aborted`.
 * @throws {ProtocolError} If what the server sends is no token, or something stands behind the last.
 * @throws {PolicyError} `server-not-verified` if the context proves nothing of the server.
 */
export async function startGss(
  inner: Transport,
  setup: GssSetup,
  clock: Clock,
): Promise<GssSecured> {
  const context = await created(setup, clock);
  try {
    const facts = await establishContext(inner, context, clock);
    const maxPlain = await provided(context.wrapSizeLimit(MAX_GSS_PACKET), clock);
    if (!(maxPlain >= MIN_PLAIN)) throw failed("its packets are too small");
    const { service, host } = setup.request;
    return {
      transport: new GssTransport(inner, context, Math.min(maxPlain, MAX_GSS_PACKET)),
      channel: {
        kind: "gss",
        local: inner.endpoint.local,
        gss: { service: `${service}@${host}`, delegated: facts.delegated },
      },
    };
  } catch (error) {
    context.dispose();
    throw error;
  }
}

async function establishContext(
  inner: Transport,
  context: GssContext,
  clock: Clock,
): Promise<GssStep> {
  const deframer = new GssDeframer();
  let token: Uint8Array | undefined;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const step = await provided(context.step(token), clock);
    if (step.complete) judge(step, deframer);
    if (step.token.length > MAX_GSS_TOKEN) throw failed("its token is too long");
    if (step.token.length > 0) await inner.write(gssFrame(step.token));
    if (step.complete) return step;
    if (step.token.length === 0) throw failed("it has no token to send, and is not complete");
    token = await nextToken(inner, deframer);
  }
  throw new ProtocolError(
    `Cannot set up GSSAPI encryption: the server has sent ${MAX_ROUNDS} tokens without an end`,
    { phase: "gss" },
  );
}

/** Both sides proved, and encryption: otherwise nothing is sent over it. */
function judge(step: GssStep, deframer: GssDeframer): void {
  if (!step.mutual) {
    throw new PolicyError(
      "server-not-verified",
      "Cannot use GSSAPI encryption: the server has not proved itself (mutual authentication)",
      { phase: "gss" },
    );
  }
  if (!step.confidential) throw failed("it can sign, but not encrypt");
  if (deframer.held > 0) {
    throw new ProtocolError(
      `Cannot set up GSSAPI encryption: ${deframer.held} octets stand behind the server's last token`,
      {
        phase: "gss",
        hint: "Somebody between this client and the server may be injecting octets",
      },
    );
  }
}

async function nextToken(inner: Transport, deframer: GssDeframer): Promise<Uint8Array> {
  for (;;) {
    const token = deframer.next(MAX_GSS_TOKEN_FRAME, true);
    if (token !== undefined) return token;
    const octets = await inner.read();
    if (octets === undefined) {
      throw new ConnectionError(
        "connection-lost",
        "server closed the connection unexpectedly while GSSAPI encryption was set up",
        {
          phase: "gss",
          hint: "The server may have no keytab, or none for this name; its log says",
        },
      );
    }
    deframer.push(octets);
  }
}

async function created(setup: GssSetup, clock: Clock): Promise<GssContext> {
  const work = setup.provider.createContext(setup.request);
  try {
    return await provided(work, clock);
  } catch (error) {
    // One that comes too late is nobody's.
    work.then((context) => context.dispose(), () => {});
    throw error;
  }
}

/** Waits for the provider within the clock; what it throws that is no error of this package becomes one. */
async function provided<T>(work: Promise<T>, clock: Clock): Promise<T> {
  try {
    return await clock.race(work, "gss");
  } catch (error) {
    if (error instanceof PgHandshakeError) throw error;
    throw providerFailure(error, "gss");
  }
}

function failed(why: string): ConnectionError {
  return new ConnectionError("gss-failed", `Cannot use the GSSAPI context: ${why}`, {
    phase: "gss",
  });
}
