import type { AuthPolicy } from "../auth/gate.ts";
import { ConnectionError, type Encryption, PgHandshakeError } from "../errors.ts";
import { ClientHandshake } from "../handshake/client.ts";
import type { SessionStart } from "../handshake/client_state.ts";
import { type ExpectedRequest, WrongGuess } from "../handshake/early.ts";
import { ServerError } from "../handshake/server_error.ts";
import type { Answer, AnswerRequest } from "../handshake/step.ts";
import type { TokenWanted } from "../handshake/token_wanted.ts";
import type { AttemptTarget } from "../plan/targets.ts";
import type { Address, TlsRequest, Transport } from "../transport/transport.ts";
import { socketOptionsOf } from "./adapters.ts";
import { Answerer } from "./answers.ts";
import type { TokenPlace } from "./bearer.ts";
import type { Clock } from "./clock.ts";
import { deliver } from "./deliver.ts";
import { dial, type DialFailure, type DialResult } from "./dial.ts";
import { addressesOf } from "./dialed_addresses.ts";
import { drive } from "./drive.ts";
import type { Circumstances, Established, Failure } from "./establish.ts";
import { earlyQueryOf } from "./first_query.ts";
import { GssAnswerer, gssSetup } from "./gss_answers.ts";
import { endpointName, KnownEndpoint } from "./known_endpoint.ts";
import { freshNonce, prepareNonces } from "./nonce.ts";
import { outcomeOf } from "./outcome.ts";
import { preparePbkdf2 } from "./pbkdf2.ts";
import { mayUseTls, policyFor, proved } from "./policy.ts";
import { checkSession } from "./session_check.ts";
import { type GssSetup, startGss } from "./start_gss.ts";
import { tlsRequestFor } from "./tls_request.ts";

/** One attempt, and what is known of it when it fails. */
export class Attempt {
  readonly #target: AttemptTarget;
  readonly #circumstances: Circumstances;
  readonly #clock: Clock;
  readonly #answerer: Answerer;
  readonly #place: TokenPlace;
  /** Made when the server asks for GSSAPI. */
  #gss: GssAnswerer | undefined;
  #transport: Transport | undefined;
  #address: Address | undefined;
  #known: KnownEndpoint | undefined;
  #racing = false;
  #undialed: readonly DialFailure[] = [];
  #machine: ClientHandshake | undefined;
  #credentialsSent = false;
  #tlsInUse = false;
  #gssInUse = false;
  #gssRefused = false;

  constructor(target: AttemptTarget, circumstances: Circumstances, clock: Clock) {
    this.#target = target;
    this.#circumstances = circumstances;
    this.#clock = clock;
    const { settings, options, passwordFiles, memory } = circumstances;
    this.#place = {
      host: target.host.host,
      port: target.host.port,
      user: settings.user,
      database: settings.dbname,
    };
    this.#answerer = new Answerer({
      password: options.password ?? settings.password,
      scramClientKey: settings.scramClientKey,
      scramServerKey: settings.scramServerKey,
      context: this.#place,
      tokens: circumstances.tokens,
      fromFile: () => passwordFiles.find(target.host, settings),
      keys: memory.keys,
    }, clock);
  }

  async run(): Promise<Established> {
    const { emit, adapter, options } = this.#circumstances;
    const { transport, address } = await this.#open();
    this.#transport = transport;
    this.#address = address;
    emit?.({ type: "dialed", remoteAddress: transport.endpoint.remoteAddress });
    const policy = policyFor(this.#target, this.#circumstances);
    const tls = this.#tlsRequest(address);
    const start = await this.#startUp(transport, policy, {
      tls,
      expected: this.#expected(address),
    });
    this.#gss?.dispose();
    this.#answerer.dispose();
    // The encrypted one, where GSSAPI encrypts.
    const open = this.#transport;
    this.#endpoint(address).learn(start);
    const checked = await checkSession(open, start, this.#target.wants, {
      clock: this.#clock,
      options,
      emit,
    });
    const encryption = routeEncryption(this.#target, start);
    const channel = proved(start.channel, policy);
    return {
      transport: open,
      start: channel === checked.channel ? checked : { ...checked, channel },
      route: { address, encryption, tls, policy, adapter, gss: this.#gssSetup() },
      keysReused: this.#answerer.keysReused,
      undialed: this.#undialed,
    };
  }

  /** Releases what is open. */
  abandon(): void {
    this.#transport?.close();
    this.#gss?.dispose();
    this.#answerer.dispose();
  }

  /** With the socket closed, gets the token for the next connection; what keeps it away is the error then. */
  async fetchToken(wanted: TokenWanted): Promise<PgHandshakeError> {
    try {
      this.#circumstances.emit?.({ type: "token-requested", discovered: true });
      await this.#circumstances.tokens.fetch(wanted.discovery, this.#place, this.#clock);
      return wanted;
    } catch (error) {
      if (!(error instanceof PgHandshakeError)) throw error;
      return error;
    }
  }

  failure(cause: PgHandshakeError): Failure {
    const error = this.#explained(cause);
    if (isRefusal(error)) this.#answerer.refused();
    const sawAuthRequest = this.#credentialsSent || error.phase === "authenticate";
    const outcome = outcomeOf(error, {
      tlsInUse: this.#tlsInUse,
      gssInUse: this.#gssInUse,
      gssRefused: this.#gssRefused,
      credentialsSent: this.#credentialsSent,
      sawAuthRequest,
      statementSent: this.#machine?.querySent ?? false,
    });
    // All addresses of the race had their chance; the plan shall not begin with the second again.
    const nobodyWon = this.#racing && this.#address === undefined &&
      (outcome.error === "dial" || outcome.error === "timeout");
    return {
      error: withPasswordFile(error, this.#answerer.file),
      address: this.#address,
      undialed: this.#undialed,
      outcome: nobodyWon ? { ...outcome, error: "unreachable" } : outcome,
    };
  }

  /**
   * What the failure of an attempt is that may be about a guess. A server may hang up, or reset the connection, over
   * what it did not ask for, and a pooler may have dropped it and wait: whatever it was, it is not guessed again.
   */
  #explained(error: PgHandshakeError): PgHandshakeError {
    const machine = this.#machine;
    const isEnd = error instanceof ConnectionError && error.code === "connection-lost";
    const explained = isEnd ? machine?.explain(error) ?? error : error;
    const isWrong = explained instanceof WrongGuess;
    const { memory } = this.#circumstances;
    if (isWrong) memory.count("wrongGuesses");
    if ((isWrong || machine?.isGuessing === true) && this.#address !== undefined) {
      this.#endpoint(this.#address).forget();
    }
    return explained;
  }

  /** What is known of the endpoint at the address that is dialed. */
  #endpoint(address: Address): KnownEndpoint {
    const { settings, memory } = this.#circumstances;
    return this.#known ??= new KnownEndpoint(endpointName(this.#target, settings, address), memory);
  }

  /** What the server will ask for, where that may be relied on. */
  #expected(address: Address): ExpectedRequest | undefined {
    const { memory } = this.#circumstances;
    return memory.pipelining === "off" || this.#target.withoutGuess
      ? undefined
      : this.#endpoint(address).expected;
  }

  async #open(): Promise<NonNullable<DialResult["opened"]>> {
    const { adapter, options, settings } = this.#circumstances;
    const addresses = addressesOf(this.#target, options.addressRacing ?? false);
    this.#racing = addresses.length > 1;
    const dialing = dial(adapter, addresses, this.#clock, socketOptionsOf(settings));
    this.#prepare(addresses);
    const { opened, failures } = await dialing;
    this.#undialed = failures;
    if (opened !== undefined) return opened;
    throw failures.at(-1)?.error ?? new TypeError("Nothing was dialed, and nothing failed");
  }

  /** What is going to be needed takes its time while the socket opens. */
  #prepare([address, ...others]: readonly Address[]): void {
    const { adapter, memory, options, settings } = this.#circumstances;
    const { encryption, plaintextAfterRefusal } = this.#target;
    const needsTls = encryption === "direct-tls" ||
      (encryption === "ssl-request" && !plaintextAfterRefusal);
    if (needsTls) adapter.prepareTls?.();
    // Whoever has a password is likely to be asked for SCRAM.
    if ((options.password ?? settings.password) !== undefined) prepareNonces();
    // Which of several addresses answers is not known yet.
    if (address === undefined || others.length > 0 || memory.pipelining === "off") return;
    const method = this.#endpoint(address).passwordMethod;
    if (method !== undefined) this.#answerer.foresee(method);
  }

  #tlsRequest(address: Address): TlsRequest | undefined {
    const { tls, settings } = this.#circumstances;
    if (tls === undefined || !mayUseTls(this.#target)) return undefined;
    const request = tlsRequestFor(tls, this.#target.host, settings);
    return this.#endpoint(address).knowsX25519 ? { ...request, firstCurve: "X25519" } : request;
  }

  #gssSetup(): GssSetup | undefined {
    const { options, settings } = this.#circumstances;
    return gssSetup(this.#target, settings, options.gss);
  }

  async #startUp(
    transport: Transport,
    policy: AuthPolicy,
    { tls, expected }: {
      readonly tls: TlsRequest | undefined;
      readonly expected: ExpectedRequest | undefined;
    },
  ): Promise<SessionStart> {
    const { settings, options, emit } = this.#circumstances;
    const { encryption, plaintextAfterRefusal, afterGssRefusal, withoutApplicationName } =
      this.#target;
    const machine = new ClientHandshake({
      encryption,
      plaintextAfterRefusal,
      afterGssRefusal,
      startup: withoutApplicationName
        ? settings.startup.filter(([name]) => name !== "application_name")
        : settings.startup,
      protocolVersion: settings.protocolVersion,
      minProtocolVersion: settings.minProtocolVersion,
      policy,
      channel: { kind: "plain", local: transport.endpoint.local },
      clientNonce: freshNonce,
      traced: emit !== undefined,
      parametersUnheard: options.onParameter === undefined,
      expected,
      // A server that may turn out to be the wrong kind gets it after that is known.
      firstQuery: this.#target.wants === "any" ? earlyQueryOf(options.firstQuery) : undefined,
    });
    this.#machine = machine;
    try {
      return await drive(machine, transport, {
        tls,
        clock: this.#clock,
        phase: () => machine.phase,
        startGss: async (plain) => {
          const setup = this.#gssSetup();
          if (setup === undefined) throw new TypeError("A plan with GSSAPI has no provider");
          const secured = await startGss(plain, setup, this.#clock);
          this.#transport = secured.transport;
          return secured;
        },
        foresee: () => {
          preparePbkdf2();
          this.#answerer.foresee("scram-sha-256");
        },
        answer: (request) => this.#answer(request),
        report: (event) => {
          if (event.type === "secured") {
            this.#tlsInUse = event.channel.kind === "tls";
            this.#gssInUse = event.channel.kind === "gss";
            emit?.(event);
          } else deliver(event, options, emit);
        },
      });
    } finally {
      this.#gssRefused = machine.encryption !== encryption;
    }
  }

  async #answer(request: AnswerRequest): Promise<Answer> {
    const { emit, settings, options } = this.#circumstances;
    let answer: Answer;
    if (request.want === "gss-token") {
      const service = `${settings.krbsrvname}@${this.#target.host.host}`;
      emit?.({ type: "gss-requested", method: request.method, service });
      this.#gss ??= new GssAnswerer(options.gss, settings, this.#target.host, this.#clock);
      answer = await this.#gss.answer(request);
    } else {
      emit?.(
        request.want === "bearer-token"
          ? { type: "token-requested", discovered: this.#target.withToken }
          : { type: "password-requested", method: request.method },
      );
      answer = await this.#answerer.answer(request);
    }
    // A question for the source of tokens gives nothing away.
    this.#credentialsSent = answer.kind !== "bearer-token" || answer.token !== undefined;
    return answer;
  }
}

/** A session that went on otherwise after `N` is cancelled as it went on. */
function routeEncryption(target: AttemptTarget, start: SessionStart): Encryption {
  switch (start.channel.kind) {
    case "plain":
      return "plain";
    case "gss":
      return "gss-request";
    case "tls":
      return target.encryption === "direct-tls" ? "direct-tls" : "ssl-request";
  }
}

/** The server did not take our keys, or did not prove that it knows them. */
function isRefusal({ code, phase }: PgHandshakeError): boolean {
  return phase === "authenticate" && (code === "server-error" || code === "server-not-verified");
}

/** A wrong password from a file is easily overlooked: libpq says where it came from. */
function withPasswordFile(error: PgHandshakeError, path: string | undefined): PgHandshakeError {
  if (path === undefined || !(error instanceof ServerError) || error.sqlState !== "28P01") {
    return error;
  }
  return new ServerError(error.fields, error.phase, `password retrieved from file "${path}"`);
}
