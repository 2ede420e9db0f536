/** SNI, version bounds and client certificates: done exactly where an adapter says so, refused where not. */
import assert from "node:assert/strict";
import type { TlsIdentity, TlsRequest } from "../../src/transport/transport.ts";
import { certificateText } from "../support/certificates.ts";
import type { Case, Lab } from "./lab.ts";
import { assertEchoes, CA, type TlsBench } from "./tls_bench.ts";

/** Cases that depend on what an adapter can do. */
export function abilityCases(bench: TlsBench): readonly Case[] {
  const { abilities } = bench.adapter;
  const cases: Case[] = [];
  if (abilities.withoutSni) {
    cases.push({
      title: "no SNI is sent where none is asked for",
      async run(lab) {
        const { near, server } = await bench.dialServer(lab);
        await near.startTls(bench.ask({ serverName: undefined }));
        await assertEchoes(near);
        assert.deepEqual(server.seen.map((one) => one.serverName), [undefined]);
      },
    });
  } else {
    cases.push({
      title: "leaving out SNI is refused",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        await assert.rejects(near.startTls(bench.ask({ serverName: undefined })), {
          code: "unsupported-setting",
          keyword: "sslsni",
        });
      },
    });
  }

  if (abilities.versionBounds.length > 0) {
    cases.push({
      title: "maxVersion TLSv1.2 is kept",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const request = bench.ask({ minVersion: "TLSv1.2", maxVersion: "TLSv1.2" });
        assert.equal((await near.startTls(request)).protocol, "TLSv1.2");
        await assertEchoes(near);
      },
    }, {
      title: "minVersion TLSv1.3 is not served by TLSv1.2",
      async run(lab) {
        const { near } = await bench.dialServer(lab, { maxVersion: "TLSv1.2" });
        const request = bench.ask({ minVersion: "TLSv1.3", maxVersion: undefined });
        await assert.rejects(near.startTls(request), { code: "tls-failed" });
      },
    });
    if (abilities.versionBounds.includes("TLSv1.1")) {
      cases.push({
        title: "maxVersion TLSv1.1 finds no server above it, minVersion TLSv1 finds one",
        async run(lab) {
          const first = await bench.dialServer(lab);
          const old = bench.ask({ minVersion: "TLSv1", maxVersion: "TLSv1.1" });
          await assert.rejects(first.near.startTls(old), { code: "tls-failed" });
          const second = await bench.dialServer(lab);
          const facts = await second.near.startTls(bench.ask({ minVersion: "TLSv1" }));
          assert.equal(facts.protocol, "TLSv1.3");
        },
      });
    }
  } else {
    cases.push({
      title: "version bounds are refused, except those that hold by themselves",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const low = near.startTls(bench.ask({ maxVersion: "TLSv1.2" }));
        await assert.rejects(low, { keyword: "ssl_max_protocol_version" });
        const high = near.startTls(bench.ask({ minVersion: "TLSv1.3" }));
        await assert.rejects(high, { keyword: "ssl_min_protocol_version" });
        await near.startTls(bench.ask({ minVersion: "TLSv1.2", maxVersion: "TLSv1.3" }));
        await assertEchoes(near);
      },
    });
  }

  if (abilities.clientCertificate) cases.push(...identityCases(bench));
  else {
    cases.push({
      title: "a client certificate is refused",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const identity = {
          certificate: certificateText("client.crt"),
          key: certificateText("client.key"),
          passphrase: undefined,
        };
        await assert.rejects(near.startTls(bench.ask({ identity })), { keyword: "sslcert" });
      },
    });
  }
  return cases;
}

function identityCases(bench: TlsBench): readonly Case[] {
  const certificate = certificateText("client.crt");
  const demanding = { requestCert: true, rejectUnauthorized: true, ca: CA };
  const wanted = (key: string, passphrase: string | undefined): TlsRequest => {
    const identity: TlsIdentity = { certificate, key: certificateText(key), passphrase };
    return bench.ask({ identity });
  };
  return [
    ...[
      { key: "client.key", passphrase: undefined },
      { key: "client-encrypted.key", passphrase: "pass phrase" },
      { key: "client-encrypted-pkcs1.key", passphrase: "pass phrase" },
    ].map(({ key, passphrase }) => ({
      title: `the client certificate is presented with the key "${key}"`,
      async run(lab: Lab) {
        const { near } = await bench.dialServer(lab, demanding);
        await near.startTls(wanted(key, passphrase));
        await assertEchoes(near);
      },
    })),
    ...[
      { title: "a wrong passphrase", key: "client-encrypted.key", passphrase: "pass word" },
      { title: "a missing passphrase", key: "client-encrypted.key", passphrase: undefined },
      { title: "a key of another certificate", key: "server.key", passphrase: undefined },
    ].map(({ title, key, passphrase }) => ({
      title: `${title} fails before anything is sent, and is not shown`,
      async run(lab: Lab) {
        const { near } = await bench.dialServer(lab, demanding);
        await assert.rejects(near.startTls(wanted(key, passphrase)), (error: Error) => {
          const { code, keyword } = error as { code?: unknown; keyword?: unknown };
          assert.deepEqual([code, keyword], ["invalid-setting", "sslkey"]);
          assert.match(error.message, /^Cannot start TLS: cannot .*\bkey\b/);
          assert.doesNotMatch(`${error.message} ${error.cause}`, /pass word|PRIVATE/);
          return true;
        });
      },
    })),
    {
      title: "a server that demands a client certificate refuses us without one in TLSv1.2",
      async run(lab) {
        const { near } = await bench.dialServer(lab, { ...demanding, maxVersion: "TLSv1.2" });
        await assert.rejects(near.startTls(bench.ask()), { code: "tls-failed" });
      },
    },
    {
      title: "a server that demands a client certificate refuses us without one in TLSv1.3",
      async run(lab) {
        const { near } = await bench.dialServer(lab, demanding);
        const first = async (): Promise<void> => {
          await near.startTls(bench.ask());
          // The client's handshake ends before the server has judged; libpq learns it with the first read, too.
          if (await near.read() === undefined) throw new Error("the end came instead");
        };
        await assert.rejects(first(), { name: "ConnectionError" });
      },
    },
  ];
}
