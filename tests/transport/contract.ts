/** The contract every adapter keeps; run by the `*_test.ts` beside this, in child processes too. */
import assert from "node:assert/strict";
import process from "node:process";
import type { Adapter, Address } from "../../src/transport/transport.ts";
import { type Case, type Lab, runCase, SocketPeer } from "./lab.ts";
import { readExactly } from "./octets.ts";
import { lendCases } from "./lend_cases.ts";
import { type Open, streamCases } from "./stream_cases.ts";
import { startTlsServer } from "./tls_server.ts";
import { TlsBench } from "./tls_bench.ts";
import { tlsCases } from "./tls_cases.ts";

/** Takes one test, as `test` of `node:test` does. */
export type Register = (title: string, run: () => Promise<void>) => void;

/** Registers the contract's tests for one adapter. */
export function contractTests(
  adapter: Adapter,
  register: Register,
  parts: readonly ("stream" | "dial" | "tls")[] = ["stream", "dial", "tls"],
): void {
  const all: Case[] = [];
  if (parts.includes("stream")) {
    const open: Open = (lab) => openPlain(adapter, lab);
    all.push(...streamCases(open), ...lendCases(open));
  }
  if (parts.includes("dial")) all.push(...dialCases(adapter));
  if (parts.includes("tls")) {
    const open: Open = (lab) => openTls(adapter, lab);
    for (const one of [...streamCases(open), ...lendCases(open)]) {
      all.push({ title: `over TLS: ${one.title}`, run: one.run });
    }
    all.push(...tlsCases(adapter));
  }
  for (const one of all) register(`${adapter.name}: ${one.title}`, () => runCase(one));
}

async function openPlain(
  adapter: Adapter,
  lab: Lab,
): ReturnType<Parameters<typeof streamCases>[0]> {
  const { address, peer } = await lab.accept();
  const near = lab.use(await adapter.dial(address));
  return { near, far: await peer };
}

async function openTls(adapter: Adapter, lab: Lab): ReturnType<Parameters<typeof streamCases>[0]> {
  let arrived: (peer: SocketPeer) => void = () => {};
  const peer = new Promise<SocketPeer>((done) => {
    arrived = done;
  });
  const server = await startTlsServer(lab, {
    serve(secure, _plain, wire) {
      secure.once("secure", () => {
        wire.readStop();
        arrived(new SocketPeer(secure, () => wire.readStart()));
      });
    },
  });
  const near = lab.use(await adapter.dial(server.address));
  await near.startTls(new TlsBench(adapter).ask());
  return { near, far: await peer };
}

function dialCases(adapter: Adapter): readonly Case[] {
  const { abilities } = adapter;
  const cases: Case[] = [
    {
      title: "the endpoint of an IPv4 address",
      async run(lab) {
        const { address } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        assert.deepEqual(near.endpoint, endpointAt("127.0.0.1", address));
      },
    },
    {
      title: "the endpoint of an IPv6 address",
      async run(lab) {
        const { address, peer } = await lab.accept({ host: "::1" });
        const near = lab.use(await adapter.dial(address));
        assert.deepEqual(near.endpoint, endpointAt("::1", address));
        await (await peer).write(Uint8Array.of(6));
        assert.deepEqual(await readExactly(near, 1), Uint8Array.of(6));
      },
    },
    {
      title: "a refused port says what libpq says",
      async run(lab) {
        const address = await refusedAddress(lab);
        await assert.rejects(adapter.dial(address), {
          name: "ConnectionError",
          code: "dial-failed",
          phase: "dial",
          sqlState: "08001",
          message: new RegExp(
            `^Cannot connect to "127.0.0.1", port ${address.port}: Connection refused\\. ` +
              "Is the server running on that host and accepting TCP/IP connections\\?$",
          ),
        });
      },
    },
    {
      title: "an unknown name is its own error",
      async run() {
        const unknown = { kind: "tcp", host: "nowhere.invalid", port: 5432 } as const;
        await assert.rejects(adapter.dial(unknown), {
          name: "ConnectionError",
          code: "name-not-found",
          message: /^Cannot translate host name "nowhere\.invalid" to an address: /,
        });
      },
    },
    {
      title: "a name is resolved while dialing",
      async run(lab) {
        const { address } = await lab.accept();
        if (address.kind !== "tcp") throw new Error("not a TCP server");
        const near = lab.use(await adapter.dial({ ...address, host: "localhost" }));
        assert.equal(near.endpoint.remoteAddress, "127.0.0.1");
      },
    },
    {
      title: "addresses nobody can dial are refused",
      async run() {
        for (const port of [0, 65536, -1, 1.5, Number.NaN]) {
          await assert.rejects(adapter.dial({ kind: "tcp", host: "127.0.0.1", port }), {
            name: "ConfigError",
            keyword: "port",
          });
        }
        const long = `/tmp/${"x".repeat(103)}`;
        for (const path of ["", "/tmp/a\0b", long]) {
          await assert.rejects(adapter.dial({ kind: "unix", path }), { name: "ConfigError" });
        }
        await assert.rejects(adapter.dial({ kind: "unix", path: long.slice(1) }), {
          code: "dial-failed",
        });
      },
    },
    {
      title: "a reset is a lost connection, for every later call too",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const reading = near.read();
        reading.catch(() => {});
        (await peer).reset();
        const lost = { name: "ConnectionError", code: "connection-lost", sqlState: "08006" };
        await assert.rejects(reading, { ...lost, message: /: Connection reset by peer$/ });
        await assert.rejects(near.write(Uint8Array.of(1)), lost);
      },
    },
    {
      title: "a signal that fired before leaves nothing behind",
      async run(lab) {
        let came = 0;
        const address = await lab.listen(() => came++);
        const reason = new Error("the deadline");
        await assert.rejects(adapter.dial(address, AbortSignal.abort(reason)), {
          name: "ConnectionError",
          code: "aborted",
          cause: reason,
        });
        await lab.settle();
        assert.equal(came, 0);
      },
    },
    {
      title: "a signal that fires while dialing rejects and releases the socket",
      async run(lab) {
        const released: Promise<void>[] = [];
        const address = await lab.listen((peer) => released.push(peer.readEnd()));
        const abort = new AbortController();
        const dialing = adapter.dial(address, abort.signal);
        abort.abort(new Error("given up"));
        await assert.rejects(dialing, { name: "ConnectionError", code: "aborted" });
        await lab.settle();
        await Promise.all(released);
      },
    },
    {
      title: "a signal that fires later changes nothing",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const abort = new AbortController();
        const near = lab.use(await adapter.dial(address, abort.signal));
        abort.abort();
        await (await peer).write(Uint8Array.of(3));
        assert.deepEqual(await readExactly(near, 1), Uint8Array.of(3));
      },
    },
    {
      title: "a signal that fires after a refusal changes nothing",
      async run(lab) {
        const address = await refusedAddress(lab);
        const abort = new AbortController();
        await assert.rejects(adapter.dial(address, abort.signal), { code: "dial-failed" });
        abort.abort();
      },
    },
  ];
  if (abilities.unix) {
    cases.push({
      title: "a Unix socket",
      async run(lab) {
        const path = `/tmp/pg-handshake-${process.pid}-${adapter.name}.sock`;
        await assertUnix(adapter, lab, path);
      },
    }, {
      title: "a Unix socket that is not there says what libpq says",
      async run() {
        const path = "/tmp/pg-handshake-nowhere.sock";
        await assert.rejects(adapter.dial({ kind: "unix", path }), {
          code: "dial-failed",
          message: `Cannot connect to socket "${path}": No such file or directory. ` +
            "Is the server running locally and accepting connections on that socket?",
        });
      },
    });
  }
  if (abilities.abstractUnix) {
    cases.push({
      title: "a Unix socket of the abstract name space",
      run: (lab) => assertUnix(adapter, lab, `@pg-handshake-${process.pid}-${adapter.name}`),
    });
  }
  const { resolve } = adapter;
  if (resolve !== undefined) {
    cases.push({
      title: "resolve() gives the addresses of a name",
      async run() {
        const addresses = await resolve("localhost");
        assert.ok(addresses.includes("127.0.0.1"), addresses.join());
        assert.deepEqual(await resolve("127.0.0.1"), ["127.0.0.1"]);
        assert.deepEqual(await resolve("::1"), ["::1"]);
      },
    }, {
      title: "resolve() of an unknown name",
      async run() {
        await assert.rejects(resolve("nowhere.invalid"), {
          code: "name-not-found",
          phase: "resolve",
        });
      },
    });
  }
  return cases;
}

function endpointAt(ip: string, address: Address): unknown {
  return {
    kind: "tcp",
    remoteAddress: ip,
    remotePort: address.kind === "tcp" ? address.port : undefined,
    path: undefined,
    local: true,
  };
}

/** A port that was just given back. */
async function refusedAddress(lab: Lab): Promise<Address & { kind: "tcp" }> {
  const { createServer } = await import("node:net");
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise<void>((done) => server.once("listening", done));
  const bound = server.address();
  if (bound === null || typeof bound === "string") throw new Error("the server has no port");
  await new Promise<void>((done) => server.close(() => done()));
  await lab.settle();
  return { kind: "tcp", host: "127.0.0.1", port: bound.port };
}

async function assertUnix(adapter: Adapter, lab: Lab, path: string): Promise<void> {
  const { address, peer } = await lab.accept({ path });
  const near = lab.use(await adapter.dial(address));
  assert.deepEqual(near.endpoint, {
    kind: "unix",
    remoteAddress: undefined,
    remotePort: undefined,
    path,
    local: true,
  });
  await near.write(Uint8Array.of(1));
  assert.deepEqual(await (await peer).read(1), Uint8Array.of(1));
}
