/** What every adapter does when it is asked for TLS, as far as its abilities go. */
import assert from "node:assert/strict";
import process from "node:process";
import { UsageError } from "../../src/errors.ts";
import type { Adapter } from "../../src/transport/transport.ts";
import { abilityCases } from "./ability_cases.ts";
import { certificateCases } from "./certificate_cases.ts";
import type { Case } from "./lab.ts";
import { assertEchoes, TlsBench } from "./tls_bench.ts";

/** Cases about TLS. */
export function tlsCases(adapter: Adapter): readonly Case[] {
  const bench = new TlsBench(adapter);
  return [...handshakeCases(bench), ...certificateCases(bench), ...abilityCases(bench)];
}

function handshakeCases(bench: TlsBench): readonly Case[] {
  const { adapter, releases } = bench;
  const { abilities } = adapter;
  return [
    {
      title: "startTls() with full verification reports what was verified",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const facts = await near.startTls(bench.ask());
        assert.equal(facts.verified, abilities.serverCertificate ? "ca" : "full");
        assert.equal(facts.alpn, undefined);
        await assertEchoes(near);
      },
    },
    {
      title: "startTls() after plain octets went both ways",
      async run(lab) {
        const { near } = await bench.dialServer(lab, { asked: true });
        await near.write(Uint8Array.of(8));
        assert.deepEqual(await near.read(), Uint8Array.of(0x53));
        await near.startTls(bench.ask());
        await assertEchoes(near);
      },
    },
    {
      title: "the name is sent by SNI",
      async run(lab) {
        const { near, server } = await bench.dialServer(lab);
        await near.startTls(bench.ask({ serverName: "localhost" }));
        await assertEchoes(near);
        assert.deepEqual(server.seen.map((one) => one.serverName), ["localhost"]);
      },
    },
    {
      title: "no SNI is sent for an IP literal",
      async run(lab) {
        const { near, server } = await bench.dialServer(lab);
        await near.startTls(bench.ask({ serverName: undefined, host: "127.0.0.1" }));
        await assertEchoes(near);
        assert.deepEqual(server.seen.map((one) => one.serverName), [undefined]);
      },
    },
    {
      title: "an IP literal is refused as the name of SNI",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        await assert.rejects(near.startTls(bench.ask({ serverName: "127.0.0.1" })), UsageError);
        await assert.rejects(near.startTls(bench.ask({ serverName: "::1" })), UsageError);
      },
    },
    {
      title: "the protocol both sides name is selected by ALPN",
      async run(lab) {
        const { near, server } = await bench.dialServer(lab, { ALPNProtocols: ["postgresql"] });
        const facts = await near.startTls(bench.ask({ alpn: ["postgresql"] }));
        assert.equal(facts.alpn, "postgresql");
        await assertEchoes(near);
        assert.deepEqual(server.seen.map((one) => one.alpn), ["postgresql"]);
      },
    },
    {
      title: "a server without ALPN selects nothing",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        assert.equal((await near.startTls(bench.ask({ alpn: ["postgresql"] }))).alpn, undefined);
      },
    },
    {
      title: "octets that arrive before the handshake fail it",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        await (await peer).write(new TextEncoder().encode("plaintext posing as TLS"));
        await lab.settle();
        // Where nothing is read ahead, they are left to the TLS layer to stumble over.
        const code = adapter.name === "deno" ? "tls-failed" : "protocol-violation";
        await assert.rejects(near.startTls(bench.ask()), { code, phase: "tls" });
        await assert.rejects(near.write(Uint8Array.of(1)), { code });
      },
    },
    {
      title: "a server that answers in plaintext fails the handshake",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const securing = near.startTls(bench.ask());
        securing.catch(() => {});
        await (await peer).read(1);
        await (await peer).write(
          new TextEncoder().encode("EFATAL: unsupported frontend protocol\0"),
        );
        await assert.rejects(securing, {
          code: "tls-failed",
          phase: "tls",
          message: /may not speak TLS/,
        });
      },
    },
    {
      title: "a server that closes fails the handshake",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const securing = near.startTls(bench.ask());
        securing.catch(() => {});
        await (await peer).read(1);
        (await peer).end();
        await assert.rejects(securing, {
          code: "tls-failed",
          message: /the server closed the connection\. The server may not speak TLS here/,
        });
      },
    },
    {
      title: "a server that resets fails the handshake",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const securing = near.startTls(bench.ask());
        securing.catch(() => {});
        await (await peer).read(1);
        (await peer).reset();
        await assert.rejects(securing, { code: "tls-failed", message: /may not speak TLS/ });
      },
    },
    {
      title: `close() rejects a pending handshake once${
        releases ? ", the socket is released" : ""
      }`,
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const securing = near.startTls(bench.ask());
        securing.catch(() => {});
        await (await peer).read(1);
        near.close();
        await assert.rejects(securing, { name: "ConnectionError", code: "aborted" });
        // What the runtime reports about the handshake afterwards changes nothing.
        await lab.settle();
        await assert.rejects(near.read(), { code: "aborted" });
        if (releases) await (await peer).readEnd();
      },
    },
    {
      title: "close() right behind startTls() rejects it",
      async run(lab) {
        const { address, peer } = await lab.accept();
        const near = lab.use(await adapter.dial(address));
        const securing = near.startTls(bench.ask());
        near.close();
        await assert.rejects(securing, { name: "ConnectionError", code: "aborted" });
        if (releases) await (await peer).readEnd();
      },
    },
    {
      title: "startTls() after close() rejects",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        near.close();
        await assert.rejects(near.startTls(bench.ask()), { code: "aborted" });
      },
    },
    {
      title: "a second startTls() is the caller's error",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        await near.startTls(bench.ask());
        await assert.rejects(near.startTls(bench.ask()), UsageError);
        await assertEchoes(near);
      },
    },
    {
      title: "startTls() beside a pending read is the caller's error",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const reading = near.read();
        reading.catch(() => {});
        await assert.rejects(near.startTls(bench.ask()), UsageError);
      },
    },
    {
      title: "a peer that vanishes without close_notify is the end",
      async run(lab) {
        const { near } = await bench.dialServer(lab, {
          serve: (secure, plain) => secure.once("data", () => plain.destroy()),
        });
        await near.startTls(bench.ask());
        await near.write(Uint8Array.of(1));
        assert.equal(await near.read(), undefined);
      },
    },
    {
      title: `startTls() over a Unix socket ${
        adapter.name === "deno" ? "is the caller's error" : "works"
      }`,
      async run(lab) {
        const path = `/tmp/pg-handshake-${process.pid}-${adapter.name}-tls.sock`;
        const { near } = await bench.dialServer(lab, { where: { path } });
        if (adapter.name === "deno") {
          await assert.rejects(near.startTls(bench.ask()), UsageError);
          return;
        }
        await near.startTls(bench.ask());
        await assertEchoes(near);
      },
    },
  ];
}
