import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { Target } from "../../src/connect/options.ts";
import { ping } from "../../src/connect/ping.ts";
import { ConfigError } from "../../src/errors.ts";
import { formatConnectionString } from "../../src/settings/format_connection_string.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import { escapeOption } from "../../src/settings/run_time_parameters.ts";
import { fakeServer, LOCAL, trust } from "../connect/fake_server.ts";
import { rejection } from "../connect/rejection.ts";
import { answering, EMPTY, isUsable, open } from "../connect/sessions.ts";
import { refused } from "./refused.ts";
import { liveServers } from "../support/live.ts";
import { targetOf, valueOf, withSession } from "../live/session_with.ts";

const live = await liveServers();

/** Half of a surrogate pair at either side, alone, and the wrong way round. */
const HALVES = ["\ud800", "\udfff", "a\ud83d", "\ude00b", "\ude00\ud83d"];
const BAD = ["\0", "a\0b", "\0b", ...HALVES];

for (const { keyword } of KEYWORDS) {
  test(`${keyword} takes no zero octet and no half of a surrogate pair, however it is given`, async () => {
    for (const bad of BAD) {
      await refused({ ...LOCAL, [keyword]: bad });
      await refused(`host=127.0.0.1 user=app dbname=shop ${keyword}='${bad}'`);
      if (!bad.includes("\0")) {
        await refused(`postgres://app@127.0.0.1/shop?${keyword}=${bad}`);
        continue;
      }
      await refused(`postgres://app@127.0.0.1/shop?${keyword}=${bad}`);
      await refused(`postgres://app@127.0.0.1/shop?${keyword}=${bad.replace("\0", "%00")}`);
      assert.throws(() => formatConnectionString({ [keyword]: bad }), ConfigError);
    }
  });
}

test("no place of a URI takes a zero octet, half a surrogate pair or octets that are no UTF-8", async () => {
  for (const bad of [...BAD, "%00", "%ED%A0%80", "%C0%80", "%FF", "%F5%80%80%80"]) {
    await refused(`postgres://${bad}@127.0.0.1/shop`);
    await refused(`postgres://app:${bad}@127.0.0.1/shop`);
    await refused(`postgres://app@${bad}/shop`);
    await refused(`postgres://app@127.0.0.1:${bad}/shop`);
    await refused(`postgres://app@127.0.0.1/${bad}`);
    await refused(`postgres://app@127.0.0.1/shop?${bad}=1`);
    await refused(`postgres://app@127.0.0.1/shop?application_name=${bad}`);
  }
});

test("no name and no value of a run-time parameter takes them", async () => {
  for (const bad of BAD) {
    await refused(LOCAL, { parameters: { [`my.${bad}`]: "1" } });
    await refused(LOCAL, { parameters: { "my.name": bad } });
  }
});

test("ping() takes no more than connect() does", async () => {
  const server = fakeServer(trust);
  for (const bad of BAD) {
    const target = { ...LOCAL, dbname: bad };
    assert.equal(await ping(target, { adapter: server.adapter }), "no-attempt");
  }
  assert.equal(server.dials.length, 0);
});

for (const bad of BAD) {
  test(`a query with ${JSON.stringify(bad)} is not sent, and the session stays usable`, async () => {
    const { session, server } = await open(answering(EMPTY));
    const error = await rejection(session.query(`select '${bad}'`));
    assert.deepEqual([error.code, error.name], ["misuse", "UsageError"]);
    await isUsable(session);
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage", "Query", "Terminate"]]);
  });

  test(`a password with ${JSON.stringify(bad)} is not sent`, async () => {
    const server = fakeServer(async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
    });
    for (const password of [bad, () => bad, () => Promise.resolve(bad)]) {
      const target = { ...LOCAL, sslmode: "disable" };
      const error = await rejection(connect(target, { password, adapter: server.adapter }));
      assert.equal(error.code, "password-unavailable");
      assert.ok(!error.message.includes(bad));
    }
    await server.done();
    assert.deepEqual(server.sent(), [["StartupMessage"], ["StartupMessage"], ["StartupMessage"]]);
  });
}

test("names of 63, 64 and 1000 octets are sent whole: to cut them is the server's business", async () => {
  for (const name of ["a".repeat(63), "a".repeat(64), "é".repeat(32), "a".repeat(1_000)]) {
    const server = fakeServer(async (peer) => {
      const packet = await peer.packet();
      assert.ok(packet.type === "StartupMessage");
      const [user, database] = packet.parameters;
      assert.deepEqual([user, database], [["user", name], ["database", name]]);
      await peer.end();
    });
    const target = { ...LOCAL, sslmode: "disable", user: name, dbname: name };
    await rejection(connect(target, { adapter: server.adapter }));
    await server.done();
  }
});

test("a start-up packet of 10 000 octets is sent, one octet more is refused before dialing", async () => {
  // Version, user, database, client_encoding, my.name with their terminators, and the last terminator.
  const fixed = 4 + "user0app0database0shop0client_encoding0UTF80my.name00".length + 1;
  for (const unit of ["a", "é"]) {
    const room = 10_000 - fixed;
    const size = unit === "a" ? 1 : 2;
    const fits = unit.repeat(Math.floor(room / size)) + "a".repeat(room % size);
    const server = fakeServer(trust);
    const target = { ...LOCAL, sslmode: "disable" };
    const session = await connect(target, {
      parameters: { "my.name": fits },
      adapter: server.adapter,
    });
    await session.close();
    await server.done();
    const sent = server.peers[0]?.octets.reduce((sum, { length }) => sum + length, 0);
    // The length word in front, Terminate behind.
    assert.equal(sent, 10_000 + 4 + 5);
    const error = await refused(target, { parameters: { "my.name": `${fits}a` } });
    assert.match(error.message, /it has 10001 octets, but a server takes at most 10000/);
  }
});

const TAKEN = [
  "user",
  "database",
  "replication",
  "options",
  "application_name",
  "client_encoding",
  "_pq_.x",
  "_pq_.",
  "_pq_.test_protocol_negotiation",
  "",
];

for (const name of TAKEN) {
  test(`a run-time parameter may not be called ${JSON.stringify(name)}, in any case`, async () => {
    for (const spelling of new Set([name, name.toUpperCase()])) {
      const error = await refused(LOCAL, { parameters: { [spelling]: "x" } });
      assert.match(error.message, /^Cannot use the run-time parameter /);
    }
  });
}

test("names of StartupMessage that are no keywords of libpq are none of a target", async () => {
  for (const name of ["database", "_pq_.x", "_PQ_.x", "search_path", "USER"]) {
    await refused({ ...LOCAL, [name]: "x" } as Target);
    await refused(`host=127.0.0.1 user=app ${name}=x`);
    await refused(`postgres://app@127.0.0.1/?${name}=x`);
  }
});

/** What pg_split_opts of postinit.c makes of `options`. */
function splitOptions(text: string): readonly string[] {
  const words: string[] = [];
  const blank = (at: number): boolean => " \t\n\v\f\r".includes(text[at] ?? "x");
  for (let at = 0; at < text.length;) {
    while (blank(at)) at++;
    if (at >= text.length) break;
    let word = "";
    while (at < text.length && !blank(at)) {
      if (text[at] === "\\") at++;
      word += text[at++] ?? "";
    }
    words.push(word);
  }
  return words;
}

const OPTION_VALUES = [
  "",
  " ",
  "a b",
  "x -c log_statement=all",
  "\\",
  "\\\\ -c is_superuser=on",
  "a\\",
  "\t\n\v\f\r",
  "'; drop table x; --",
  '"quoted"',
  "=",
  "--",
  "$(id) `id` ${x}",
  "\u00a0\u2003\u3000\u0085",
  "\u202e\u001b[31m",
  "é😀",
];

for (const value of OPTION_VALUES) {
  test(`escapeOption() keeps ${JSON.stringify(value)} one word of options`, async () => {
    const options = `-c my.value=${escapeOption(value)} -c my.other=1`;
    assert.deepEqual(splitOptions(options), ["-c", `my.value=${value}`, "-c", "my.other=1"]);
    if (live.skip(18) !== false) return;
    const target = targetOf(live.get(18), "trust_user", { sslmode: "disable", options });
    await withSession(target, async (session) => {
      assert.equal(await valueOf(session, "select current_setting('my.value')"), value);
      assert.equal(await valueOf(session, "select current_setting('my.other')"), "1");
    });
  });
}
