import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { format, inspect } from "node:util";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectEvent, Target } from "../../src/connect/options.ts";
import { KEYWORDS } from "../../src/settings/keyword_reference.ts";
import type { BackendMessage } from "../../src/wire/backend.ts";
import type { NoticeFields } from "../../src/wire/notice.ts";
import { fakeServer, GREETING, LOCAL, trust } from "../connect/fake_server.ts";
import type { Peer } from "../connect/peer.ts";
import { reasonOf } from "../connect/rejection.ts";

/** C0, DEL, C1, the controls of direction and the separators of lines; U+FEFF and soft hyphens are harmless. */
const CODES = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, at) => 0x7f + at),
  ...[0x061c, 0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e],
  ...[0x2066, 0x2067, 0x2068, 0x2069],
];
const CONTROLS = CODES.map((code) => String.fromCharCode(code));
/** What of it a server can say: a zero octet ends its text. */
const SAYABLE = CONTROLS.filter((control) => control !== "\0").join("");
const HOSTILE = [
  SAYABLE,
  "\u001b]0;title\u0007\u001b[2J\u001b[31mFATAL:  all is well\u001b[0m",
  "\u009b31m\r\nERROR:  forged line",
  "\u202Egnihton si siht\u2066",
  "\u001b]8;;http://evil.test\u001b\\click\u001b]8;;\u001b\\",
];

/** Asserts that no control gets through; a message of several attempts has lines, a stack has lines. */
function assertEscaped(text: string, where: string): void {
  const found = CONTROLS.filter((control) => control !== "\n" && text.includes(control))
    .map((control) => `U+${control.charCodeAt(0).toString(16).padStart(4, "0")}`);
  assert.deepEqual(found, [], where);
  assert.ok(text.isWellFormed(), where);
}

/** Everything that shows an error; the runtimes' own inspectors are what console.log() and a crash print with. */
function assertErrorEscaped(error: unknown, where: string): void {
  assert.ok(error instanceof Error);
  const scope = globalThis as unknown as Readonly<
    Record<"Deno" | "Bun", { inspect(value: unknown, options?: object): string } | undefined>
  >;
  assertEscaped(error.message, `message, ${where}`);
  assertEscaped(String(error), `text, ${where}`);
  assertEscaped(error.stack ?? "", `stack, ${where}`);
  assertEscaped(JSON.stringify(error), `JSON, ${where}`);
  assertEscaped(inspect(error, { depth: 20 }), `util.inspect(), ${where}`);
  assertEscaped(format("%s %o", error, error), `util.format(), ${where}`);
  assertEscaped(scope.Deno?.inspect(error, { depth: 20 }) ?? "", `Deno.inspect(), ${where}`);
  // Bun colours what it prints of errors itself.
  assertEscaped(scope.Bun?.inspect(error, { colors: false }) ?? "", `Bun.inspect(), ${where}`);
}

const FIELDS: NoticeFields = {
  severity: "FATAL",
  severityUntranslated: "FATAL",
  sqlState: "28000",
  message: "no",
};
const FIELD_NAMES = [
  "severity",
  "severityUntranslated",
  "sqlState",
  "message",
  "detail",
  "hint",
  "position",
  "where",
  "schema",
  "table",
  "column",
  "dataType",
  "constraint",
  "file",
  "line",
  "routine",
] as const;

function errorWith(field: string, text: string): BackendMessage {
  return { type: "ErrorResponse", fields: { ...FIELDS, [field]: text } };
}

/** Where a server may say no, up to there; what it says instead is sent then. */
const PLACES: readonly (readonly [where: string, upTo: (peer: Peer) => Promise<void>])[] = [
  ["in answer to StartupMessage", async (peer) => void await peer.packet()],
  ["after AuthenticationOk", async (peer) => {
    await peer.packet();
    await peer.send(...GREETING.slice(0, 2));
  }],
  ["in answer to a password", async (peer) => {
    await peer.packet();
    await peer.send({ type: "AuthenticationCleartextPassword" });
    await peer.message("password");
  }],
];

for (const [where, upTo] of PLACES) {
  for (const field of FIELD_NAMES) {
    test(`an error ${where} is shown escaped: field ${field}`, async () => {
      for (const text of HOSTILE) {
        const server = fakeServer(async (peer) => {
          await upTo(peer);
          await peer.send(errorWith(field, text));
          await peer.end();
        });
        const events: ConnectEvent[] = [];
        const options = {
          adapter: server.adapter,
          onEvent: (one: ConnectEvent) => events.push(one),
        };
        const target = { ...LOCAL, sslmode: "disable", password: "x" };
        const error = await reasonOf(connect(target, options));
        assertErrorEscaped(error, where);
        for (const event of events) assertEscaped(JSON.stringify(event), `event, ${where}`);
        const hosts = { ...target, host: "127.0.0.1,127.0.0.2" };
        assertErrorEscaped(await reasonOf(connect(hosts, options)), `two hosts, ${where}`);
      }
    });
  }
}

test("an error of a query is shown escaped, but for line feeds and tabs, which SQL has", async () => {
  for (const text of HOSTILE) {
    const server = fakeServer(async (peer, connection) => {
      await trust(peer, connection);
      await peer.message();
      await peer.send(errorWith("message", text), { type: "ReadyForQuery", status: "I" });
    });
    const session = await connect({ ...LOCAL, sslmode: "disable" }, { adapter: server.adapter });
    const error = await reasonOf(session.query("select"));
    assert.ok(error instanceof Error);
    assertEscaped(error.message.replaceAll("\t", ""), "message");
    assertEscaped(inspect(error, { depth: 20 }).replaceAll("\t", ""), "util.inspect()");
    await session.close();
  }
});

test("mechanisms, parameters and other words of a server are escaped where they are shown", async () => {
  for (const text of HOSTILE) {
    const says: readonly (readonly BackendMessage[])[] = [
      [{ type: "AuthenticationSASL", mechanisms: [text] }],
      [{ type: "AuthenticationSASL", mechanisms: ["SCRAM-SHA-256", text] }],
      [GREETING[0], { type: "ParameterStatus", name: text, value: text }, ...GREETING.slice(1)]
        .filter((one) => one !== undefined),
      [{ type: "NegotiateProtocolVersion", version: 0x30000, unrecognized: [text] }],
      [{ type: "NoticeResponse", fields: { ...FIELDS, message: text } }],
      [...GREETING, { type: "CommandComplete", tag: text }],
    ] as readonly (readonly BackendMessage[])[];
    for (const messages of says) {
      const server = fakeServer(async (peer) => {
        await peer.packet();
        await peer.send(...messages);
        await peer.end();
      });
      const events: ConnectEvent[] = [];
      const target = { ...LOCAL, sslmode: "disable", password: "x" };
      await connect(target, { adapter: server.adapter, onEvent: (one) => events.push(one) }).then(
        async (session) => {
          const ended = await session.query("select").then(() => undefined, (error) => error);
          if (ended !== undefined) assertErrorEscaped(ended, messages[0]?.type ?? "");
          await session.close();
        },
        (error: unknown) => assertErrorEscaped(error, messages[0]?.type ?? ""),
      );
      for (const event of events) {
        assertEscaped(JSON.stringify(event), messages[0]?.type ?? "");
        assertEscaped(inspect(event, { depth: 9 }), messages[0]?.type ?? "");
      }
    }
  }
});

/** More than a message needs to show of what it was given. */
const MAX_SHOWN = 2_000;
const GIVEN = ["\u001b[31mred\u009b0m", "a\u202eb\u2066", "x".repeat(100_000)];

// What a target says may come from a form, a file or an address bar, and its error goes to a terminal.
for (const { keyword } of KEYWORDS) {
  test(`an error that ${keyword} leads to shows what was given escaped, and not all of it`, async () => {
    for (const given of GIVEN) {
      const targets: readonly Target[] = [
        { ...LOCAL, [keyword]: given },
        { ...LOCAL, [`${keyword}${given}`]: "x" } as Target,
        `host=127.0.0.1 user=app dbname=shop ${keyword}${given}=x`,
        `postgres://app@127.0.0.1/shop?${keyword}${given}=x`,
      ];
      for (const target of targets) {
        const server = fakeServer(trust, {
          onDial: () => {
            throw new Error("no network here");
          },
        });
        const reason = await reasonOf(connect(target, { adapter: server.adapter }));
        // A target there is nothing wrong with came as far as dialing.
        if (server.dials.length > 0) continue;
        assert.ok(reason instanceof Error);
        assertEscaped(reason.message, keyword);
        assert.ok(reason.message.length < MAX_SHOWN, `${reason.message.length} characters`);
      }
    }
  });
}
