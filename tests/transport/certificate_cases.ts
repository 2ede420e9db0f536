/** Which certificates pass, and what is told about them. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/errors.ts";
import { certificateDer, certificateText } from "../support/certificates.ts";
import type { Case } from "./lab.ts";
import { assertEchoes, CA, type TlsBench, TRUSTS_CA } from "./tls_bench.ts";

const UNTRUSTED = ["other-server", "expired", "not-yet", "selfsigned", "client-purpose"];

/** Cases about verification and roots. */
export function certificateCases(bench: TlsBench): readonly Case[] {
  const { abilities } = bench.adapter;
  const cases: Case[] = [];
  for (const kind of abilities.verify) {
    if (kind === "none") continue;
    for (const certificate of UNTRUSTED) {
      cases.push({
        title: `verification "${kind}" refuses the certificate "${certificate}"`,
        async run(lab) {
          const { near } = await bench.dialServer(lab, { certificate });
          await assert.rejects(near.startTls(bench.ask({ verify: kind })), {
            name: "ConnectionError",
            code: "certificate-untrusted",
            phase: "tls",
          });
          await assert.rejects(near.write(Uint8Array.of(1)), { code: "certificate-untrusted" });
        },
      });
    }
    if (!abilities.serverCertificate) continue;
    for (const certificate of UNTRUSTED) {
      cases.push({
        title: `verification "${kind}" refuses "${certificate}" also if the name differs`,
        async run(lab) {
          const { near } = await bench.dialServer(lab, { certificate });
          const request = bench.ask({ verify: kind, serverName: "nowhere.test" });
          await assert.rejects(near.startTls(request), { code: "certificate-untrusted" });
        },
      });
    }
    cases.push({
      title: `verification "${kind}" leaves another name to the gate`,
      async run(lab) {
        const { near } = await bench.dialServer(lab, { certificate: "wrong-name" });
        assert.equal((await near.startTls(bench.ask({ verify: kind }))).verified, "ca");
        await assertEchoes(near);
      },
    });
    cases.push({
      title: `verification "${kind}" follows a chain with an intermediate`,
      async run(lab) {
        const { near } = await bench.dialServer(lab, { certificate: "chain" });
        assert.equal((await near.startTls(bench.ask({ verify: kind }))).verified, "ca");
      },
    });
  }

  if (!abilities.serverCertificate) {
    cases.push({
      title: "a certificate for another name is refused",
      async run(lab) {
        const { near } = await bench.dialServer(lab, { certificate: "wrong-name" });
        await assert.rejects(near.startTls(bench.ask()), { code: "certificate-name" });
      },
    });
  }

  if (abilities.verify.includes("none")) {
    for (const certificate of [...UNTRUSTED, "wrong-name"]) {
      cases.push({
        title: `verification "none" accepts the certificate "${certificate}"`,
        async run(lab) {
          const { near } = await bench.dialServer(lab, { certificate });
          assert.equal((await near.startTls(bench.ask({ verify: "none" }))).verified, "none");
          await assertEchoes(near);
        },
      });
    }
  }

  if (abilities.serverCertificate) {
    for (const certificate of ["server", "server-ec", "chain"]) {
      cases.push({
        title: `the server certificate "${certificate}" is shown as its DER octets`,
        async run(lab) {
          const { near } = await bench.dialServer(lab, { certificate });
          const { serverCertificate, protocol, cipher } = await near.startTls(bench.ask());
          assert.deepEqual(serverCertificate, certificateDer(`${certificate}.crt`));
          assert.equal(serverCertificate?.constructor, Uint8Array);
          assert.equal(protocol, "TLSv1.3");
          assert.match(cipher ?? "", /^TLS_/);
        },
      });
    }
  }

  if (abilities.exclusiveRoots) {
    cases.push({
      title: "given roots are the only ones",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const request = bench.ask({ roots: { pem: certificateText("other-ca.crt") } });
        await assert.rejects(near.startTls(request), { code: "certificate-untrusted" });
      },
    }, {
      title: "all roots of one text count",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const pem = `${certificateText("other-ca.crt")}\n${CA}`;
        assert.equal((await near.startTls(bench.ask({ roots: { pem } }))).verified, "ca");
      },
    }, {
      title: "roots that are no certificates are refused, not ignored",
      async run(lab) {
        const key = certificateText("ca.key");
        for (const pem of ["", "no certificate", key]) {
          const { near } = await bench.dialServer(lab);
          await assert.rejects(near.startTls(bench.ask({ roots: { pem } })), {
            code: "invalid-setting",
            keyword: "sslrootcert",
          });
        }
        const broken = CA.replace(/MII[A-Za-z0-9+/]{40}/, "MII");
        const { near } = await bench.dialServer(lab);
        await assert.rejects(near.startTls(bench.ask({ roots: { pem: broken } })), {
          name: /^(ConfigError|ConnectionError)$/,
        });
      },
    }, {
      title: `the system's roots ${TRUSTS_CA ? "count" : "do not know our authority"}`,
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        const securing = near.startTls(bench.ask({ roots: "system" }));
        if (TRUSTS_CA) assert.equal((await securing).verified, "ca");
        else await assert.rejects(securing, { code: "certificate-untrusted" });
      },
    });
  } else {
    cases.push({
      title: "roots of one's own are refused, not added",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        await assert.rejects(near.startTls(bench.ask({ roots: { pem: CA } })), {
          name: "ConfigError",
          code: "unsupported-setting",
          keyword: "sslrootcert",
        });
      },
    });
  }

  if (!abilities.verify.includes("none")) {
    cases.push({
      title: "weaker verification than it can do exactly is refused",
      async run(lab) {
        const { near } = await bench.dialServer(lab);
        for (const verify of ["none", "ca"] as const) {
          await assert.rejects(near.startTls(bench.ask({ verify })), ConfigError);
        }
      },
    });
  }

  return cases;
}
