import "../support/guard.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import type { Adapter, TlsRequest } from "../../src/transport/transport.ts";

/** Extension key_share and the groups of it (RFC 8446, sections 4.2 and 4.2.7). */
const KEY_SHARE = 51;
const GROUPS = 10;
const P256 = 0x0017;
const X25519 = 0x001d;
/** X25519MLKEM768, whose share a BoringSSL sends beside that of the first curve. */
const HYBRID = 0x11ec;
/** What nobody needs by name: finite fields and above (RFC 7919). */
const FIRST_FINITE_FIELD = 0x0100;

const REQUEST: TlsRequest = {
  serverName: undefined,
  verify: "none",
  host: undefined,
  roots: "system",
  identity: undefined,
  minVersion: undefined,
  maxVersion: undefined,
  alpn: [],
};

const ON_DENO = "Deno" in globalThis;

const { nodeAdapter } = await import("../../src/transport/node.ts");
const adapter: Adapter = "Bun" in globalThis
  ? (await import("../../src/transport/bun.ts")).bunAdapter
  : nodeAdapter;

for (
  const [firstCurve, group] of [[undefined, P256], ["P-256", P256], ["X25519", X25519]] as const
) {
  // Deno cannot choose; asking must do no harm there.
  const expected = ON_DENO ? X25519 : group;
  test(`With firstCurve ${firstCurve ?? "not given"} the first key share is of group ${expected}`, async () => {
    const shares = sharesOf(await helloOf(adapter, { ...REQUEST, firstCurve }));
    if (ON_DENO) assert.ok(shares.includes(expected), String(shares));
    else assert.deepEqual(shares.filter((share) => share !== HYBRID), [expected]);
  });

  test(`With firstCurve ${firstCurve ?? "not given"} no curve is given up that the runtime offers`, async () => {
    const offered = extensionOf(await helloOf(adapter, { ...REQUEST, firstCurve }), GROUPS);
    const usual = extensionOf(await usualHello(), GROUPS);
    const curves = usual.filter((group) => group < FIRST_FINITE_FIELD || group === HYBRID);
    assert.ok(curves.length >= 3, String(usual));
    for (const curve of curves) assert.ok(offered.includes(curve), `${curve} of ${offered}`);
  });
}

/** What the runtime sends if nobody asks for anything. */
async function usualHello(): Promise<Uint8Array> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { port: number };
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const secure = connectTls({ host: "127.0.0.1", port });
    secure.on("error", () => {});
    const [socket] = await accepted;
    const [hello] = await once(socket, "data") as [Uint8Array];
    socket.destroy();
    secure.destroy();
    return new Uint8Array(hello);
  } finally {
    server.close();
  }
}

/** The first record a client sends. */
async function helloOf(adapter: Adapter, request: TlsRequest): Promise<Uint8Array> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const { port } = server.address() as { port: number };
    const accepted = once(server, "connection") as Promise<[Socket]>;
    const transport = await adapter.dial({ kind: "tcp", host: "127.0.0.1", port });
    const [socket] = await accepted;
    const arrived = once(socket, "data") as Promise<[Uint8Array]>;
    const refused = assert.rejects(transport.startTls(request));
    const [hello] = await arrived;
    socket.destroy();
    await refused;
    transport.close();
    return new Uint8Array(hello);
  } finally {
    server.close();
  }
}

/** The groups of the key shares in a ClientHello. */
function sharesOf(record: Uint8Array): number[] {
  return extensionOf(record, KEY_SHARE);
}

/** The groups that an extension of a ClientHello names (RFC 8446, section 4.1.2). */
function extensionOf(record: Uint8Array, wanted: typeof KEY_SHARE | typeof GROUPS): number[] {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  // Record header, message header, version, random.
  let at = 5 + 4 + 2 + 32;
  at += 1 + view.getUint8(at);
  at += 2 + view.getUint16(at);
  at += 1 + view.getUint8(at);
  const end = at + 2 + view.getUint16(at);
  for (at += 2; at < end; at += 4 + view.getUint16(at + 2)) {
    if (view.getUint16(at) !== wanted) continue;
    const groups: number[] = [];
    const last = at + 6 + view.getUint16(at + 4);
    for (let item = at + 6; item < last;) {
      groups.push(view.getUint16(item));
      item += wanted === GROUPS ? 2 : 4 + view.getUint16(item + 2);
    }
    return groups;
  }
  return [];
}
