import "../support/guard.ts";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { once } from "node:events";
import { connect } from "node:net";
import { after, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { certificateDer, certificateText } from "./certificates.ts";
import { liveServers } from "./live.ts";
import { startPostgres } from "./postgres.ts";
import { formatCoordinates, parseCoordinates } from "./server_coordinates.ts";
import { startProxy, startScripted } from "./servers.ts";

const SSL_REQUEST = "00000008 04d2162f";

/** Sends octets, ends, and returns all that comes back. */
async function exchange(port: number, ...writes: readonly string[]): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  const chunks: Uint8Array[] = [];
  socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
  const ended = once(socket, "end");
  for (const hex of writes) socket.write(Buffer.from(hex.replaceAll(" ", ""), "hex"));
  await ended;
  socket.destroy();
  return Buffer.concat(chunks).toString("hex");
}

const live = await liveServers();

test("a scripted server sends what its script says once the client has sent what it expects", async () => {
  const server = await startScripted([
    { expect: "packet" },
    { send: "4e" },
    { expect: "message" },
    { expect: 2 },
    { send: new Uint8Array([1, 2]) },
  ]);
  after(() => server.close());
  const answer = await exchange(server.port, SSL_REQUEST, "51 00000005 00", "ab", "cd");
  assert.equal(answer, "4e0102");
  assert.deepEqual(server.completed(), [5]);
  assert.equal(
    Buffer.from(server.received()[0] ?? []).toString("hex"),
    "0000000804d2162f5100000005" + "00abcd",
  );
});

test("a scripted server follows another script for each connection", async () => {
  const server = await startScripted((connection) => [{ send: connection === 0 ? "aa" : "bb" }]);
  after(() => server.close());
  assert.equal(await exchange(server.port), "aa");
  assert.equal(await exchange(server.port), "bb");
  assert.equal(server.received().length, 2);
});

test("a scripted server goes on inside TLS", async () => {
  const server = await startScripted([
    { expect: "packet" },
    { send: "53" },
    { tls: "server" },
    { expect: 3 },
    { send: "0a0b" },
  ]);
  after(() => server.close());
  const socket = connect(server.port, "127.0.0.1");
  socket.write(Buffer.from(SSL_REQUEST.replaceAll(" ", ""), "hex"));
  await once(socket, "data");
  const tls = connectTls({
    socket,
    ca: certificateText("ca.crt"),
    servername: "localhost",
    ALPNProtocols: ["postgresql"],
  });
  await once(tls, "secureConnect");
  assert.equal(tls.alpnProtocol, "postgresql");
  assert.deepEqual(new Uint8Array(tls.getPeerCertificate().raw), certificateDer("server.crt"));
  tls.write(new Uint8Array([7, 8, 9]));
  const [answer] = await once(tls, "data") as [Uint8Array];
  assert.deepEqual([...answer], [10, 11]);
  tls.destroy();
  assert.deepEqual([...(server.received()[0] ?? [])].slice(-3), [7, 8, 9]);
  assert.equal(server.received()[0]?.length, 8 + 3);
});

test("a proxy records the flights of a connection", async () => {
  const server = await startScripted([{ expect: 2 }, { send: "01" }, { expect: 1 }, {
    send: "02",
  }]);
  const proxy = await startProxy({ target: { host: "127.0.0.1", port: server.port } });
  after(async () => {
    await proxy.close();
    await server.close();
  });
  const socket = connect(proxy.port, "127.0.0.1");
  socket.write(new Uint8Array([1]));
  socket.write(new Uint8Array([2]));
  await once(socket, "data");
  socket.write(new Uint8Array([3]));
  await once(socket, "data");
  socket.destroy();
  const [flights] = proxy.flights();
  assert.deepEqual(flights?.map((one) => [one.from, ...one.octets]), [
    ["client", 1, 2],
    ["server", 1],
    ["client", 3],
    ["server", 2],
  ]);
});

test("coordinates of servers survive the environment", () => {
  const servers = [18, 10].map((version) => ({
    version: version as 18 | 10,
    port: version * 1000,
    socketDirectory: `/tmp/${version}`,
  }));
  assert.deepEqual(parseCoordinates(formatCoordinates(servers)), servers);
});

for (const { version, port } of live.servers) {
  test(`PostgreSQL ${version} is there and answers SSLRequest with S`, async () => {
    const socket = connect(port, "127.0.0.1");
    socket.write(Buffer.from(SSL_REQUEST.replaceAll(" ", ""), "hex"));
    const [answer] = await once(socket, "data") as [Uint8Array];
    socket.destroy();
    assert.deepEqual([...answer], [0x53]);
  });
}

test("a server of one's own obeys its settings, its hba lines and its SQL", {
  skip: live.skip(18),
}, async () => {
  const server = await startPostgres({
    tls: { certificate: "server-ec384", key: "server-ec", crl: "ca" },
    settings: { application_name: "it's" },
    hba: ["host all extra 127.0.0.1/32 trust"],
    sql: ["CREATE ROLE extra LOGIN"],
  });
  try {
    const kinds =
      "'scram_user', 'unicode_user', 'tls_user') and rolpassword like 'SCRAM-SHA-256$4096:%'";
    await server.sql(`do $$ begin
      assert current_setting('application_name') = 'it''s';
      assert (select count(*) from pg_authid where rolname in (${kinds}) = 3;
      assert (select rolpassword from pg_authid where rolname = 'md5_user') like 'md5%';
      assert (select count(*) from pg_hba_file_rules where error is not null) = 0;
      assert (select array_agg('extra'::name) <@ array_agg(rolname) from pg_roles);
    end $$`);
    await assert.rejects(
      server.sql("select 1", "closed_db"),
      /not currently accepting connections/,
    );
    await assert.rejects(server.sql("select nonsense"), /42703/);
    await server.logged(/column "nonsense" does not exist/);
    assert.match(server.log(), /column "nonsense" does not exist/);
  } finally {
    await server.stop();
    await server.stop();
  }
  await assert.rejects(server.sql("select 1"));
});
