import "../support/guard.ts";
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import type { Adapter, TlsRequest } from "../../src/transport/transport.ts";

/** Extension key_share and the groups of it (RFC 8446, sections 4.2 and 4.2.7). */
const KEY_SHARE = 51;
const P256 = 0x0017;
const X25519 = 0x001d;

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
    else assert.deepEqual(shares, [expected]);
  });
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

/** The groups of the key shares in a ClientHello (RFC 8446, section 4.1.2). */
function sharesOf(record: Uint8Array): number[] {
  const view = new DataView(record.buffer, record.byteOffset, record.length);
  // Record header, message header, version, random.
  let at = 5 + 4 + 2 + 32;
  at += 1 + view.getUint8(at);
  at += 2 + view.getUint16(at);
  at += 1 + view.getUint8(at);
  const end = at + 2 + view.getUint16(at);
  for (at += 2; at < end; at += 4 + view.getUint16(at + 2)) {
    if (view.getUint16(at) !== KEY_SHARE) continue;
    const groups: number[] = [];
    const last = at + 6 + view.getUint16(at + 4);
    for (let share = at + 6; share < last; share += 4 + view.getUint16(share + 2)) {
      groups.push(view.getUint16(share));
    }
    return groups;
  }
  return [];
}
