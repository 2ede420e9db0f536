/** The part of the demo that connects. Runs on every runtime; prints what happened as lines of JSON. */
import process from "node:process";
import { connect, ConnectError, PgHandshakeError, type Session } from "../../mod.ts";
import type { ChannelFacts, ConnectEvent } from "../../mod.ts";
import { type DemoLine, type DemoTarget, type DemoTask, uriOf } from "./demo_report.ts";
import { startProxy } from "./proxy.ts";

/** No connect of the demo takes a tenth of it. */
const PATIENCE_MS = 10_000;
const WARM_UP = 2;

const task = JSON.parse(process.argv[2] ?? "") as DemoTask;
for (const target of task.connections) await guarded(target, measure);
for (const target of task.refusals) await guarded(target, provoke);
if (task.traced !== undefined) await guarded(task.traced, trace);

function print(line: DemoLine): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

/** Whatever goes wrong with one target is reported, and the next one has its turn. */
async function guarded(
  target: DemoTarget,
  act: (target: DemoTarget) => Promise<void>,
): Promise<void> {
  try {
    await act(target);
  } catch (error) {
    const message = error instanceof Error ? error.stack ?? error.message : String(error);
    print({ kind: "failure", id: target.id, message });
  }
}

function open(uri: string, onEvent?: (event: ConnectEvent) => void): Promise<Session> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  return connect(uri, onEvent === undefined ? { signal } : { signal, onEvent });
}

async function measure(target: DemoTarget): Promise<void> {
  const { id, host, port } = target;
  const roundTrips = await countRoundTrips(target);
  const times: number[] = [];
  for (let round = -WARM_UP; round < task.rounds; round++) {
    const began = performance.now();
    const session = await open(uriOf(target));
    if (round >= 0) times.push(performance.now() - began);
    await session.close();
  }
  let adapter = "";
  const session = await open(uriOf(target), (event) => {
    if (event.type === "attempt") ({ adapter } = event);
  });
  const { authentication, channel, serverVersion, address } = session;
  await session.close();
  if (address.remotePort !== port) {
    throw new Error(`Connected to another port than ${host}:${port}`);
  }
  print({
    kind: "session",
    id,
    method: authentication.method,
    bound: authentication.channelBound,
    channel: describe(channel),
    serverVersion: serverVersion.text,
    roundTrips,
    ms: median(times),
    adapter,
  });
}

/** The proxy is looked at the moment the session is ready: every flight of the client has been answered then. */
async function countRoundTrips(target: DemoTarget): Promise<number> {
  const proxy = await startProxy({ target: { host: target.host, port: target.port } });
  try {
    const session = await open(uriOf(target, proxy.port));
    const flights = proxy.flights().flat();
    await session.close();
    return 1 + flights.filter(({ from }) => from === "client").length;
  } finally {
    await proxy.close();
  }
}

function describe(channel: ChannelFacts): string {
  if (channel.kind === "plain") return "not encrypted";
  if (channel.kind === "gss") return `GSSAPI with ${channel.gss.service}`;
  const { protocol, cipher, alpn, verified } = channel.tls;
  const proof = { none: "not verified", ca: "chain verified", full: "chain and name verified" };
  return [
    protocol ?? "TLS of unknown version",
    cipher ?? "unknown cipher",
    `ALPN ${alpn ?? "none"}`,
    proof[verified],
  ].join(", ");
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? NaN;
}

async function provoke(target: DemoTarget): Promise<void> {
  let session: Session;
  try {
    session = await open(uriOf(target));
  } catch (error) {
    if (!(error instanceof PgHandshakeError) && !(error instanceof ConnectError)) throw error;
    const { name, code, sqlState, phase, message } = error;
    print({ kind: "refusal", id: target.id, name, code, sqlState, phase, message });
    return;
  }
  await session.close();
  throw new Error("It connected, which it must not");
}

async function trace(target: DemoTarget): Promise<void> {
  const session = await open(uriOf(target), (event) => {
    const { at } = event;
    if (event.type === "message") {
      print({
        kind: "trace",
        at,
        direction: event.direction,
        name: event.name,
        detail: Object.entries(event.detail).map(([name, value]) => `${name}: ${list(value)}`).join(
          "; ",
        ),
      });
    } else print({ kind: "trace", at, direction: "step", name: event.type, detail: step(event) });
  });
  await session.query("select 'hello' as greeting");
  await session.close();
}

function list(value: string | number | readonly string[]): string {
  return typeof value === "object" ? value.join(", ") : String(value);
}

function step(event: Exclude<ConnectEvent, { type: "message" }>): string {
  switch (event.type) {
    case "resolved":
      return `${event.host} is ${event.addresses.join(", ")}`;
    case "attempt": {
      const { address, port, encryption, adapter } = event;
      return `${address} port ${port}, encryption "${encryption}", adapter "${adapter}"`;
    }
    case "dialed":
      return `TCP to ${event.remoteAddress ?? "a Unix socket"}`;
    case "secured":
      // The gate compares the name when the transport is done, before anything else is sent.
      return describe(event.channel).replace(
        "chain verified",
        "chain verified, the name comes next",
      );
    case "gss-requested":
      return `for ${event.service}`;
    case "password-requested":
      return `for ${event.method}`;
    case "token-requested":
      return event.discovered ? "from where the server said" : "before anything is known";
    case "failed":
      return event.error.message;
    case "ready":
      return "connect() returns the session";
  }
}
