import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "../../src/connect/connect.ts";
import type { ErrorCode, Phase } from "../../src/errors.ts";
import { fakeServer, GREETING, LOCAL, type Play } from "./fake_server.ts";
import { rejection } from "./rejection.ts";
import { ScramServer } from "./scram_server.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

const ENDS: readonly {
  readonly name: string;
  readonly play: Play;
  readonly code: ErrorCode;
  readonly phase: Phase;
  readonly text?: RegExp;
}[] = [
  {
    name: "an HTTP server",
    play: async (peer) => {
      await peer.packet();
      await peer.send(ascii("HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n"));
    },
    code: "not-postgresql",
    phase: "start-up",
  },
  {
    name: "an SSH server, which speaks first",
    play: (peer) => peer.send(ascii("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")),
    code: "not-postgresql",
    phase: "start-up",
  },
  {
    name: "an SMTP server",
    play: (peer) => peer.send(ascii("220 mail.test ESMTP Postfix\r\n")),
    code: "not-postgresql",
    phase: "start-up",
  },
  {
    name: "the end before a word",
    play: async (peer) => {
      await peer.packet();
      await peer.end();
    },
    code: "connection-lost",
    phase: "start-up",
  },
  {
    name: "the end in the middle of a message",
    play: async (peer) => {
      await peer.packet();
      await peer.send(Uint8Array.of(0x52, 0, 0, 0, 8, 0));
      await peer.end();
    },
    code: "connection-lost",
    phase: "start-up",
    text: /in the middle of a message/,
  },
  {
    name: "the end after the password",
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationCleartextPassword" });
      await peer.message("password");
      await peer.end();
    },
    code: "connection-lost",
    phase: "authenticate",
    text: /password/,
  },
  {
    name: "the end inside SCRAM",
    play: async (peer) => {
      await peer.packet();
      await new ScramServer(peer, { password: "pencil" }).first();
      await peer.message("sasl");
      await peer.end();
    },
    code: "connection-lost",
    phase: "authenticate",
  },
  {
    name: "the end after AuthenticationOk",
    play: async (peer) => {
      await peer.packet();
      await peer.send(...GREETING.slice(0, 2));
      await peer.end();
    },
    code: "connection-lost",
    phase: "prepare",
  },
  {
    name: "an error of protocol 2, which older servers and some poolers send",
    play: async (peer) => {
      await peer.packet();
      await peer.send(ascii("EFATAL:  unsupported frontend protocol\n\0"));
    },
    code: "server-error",
    phase: "start-up",
    text: /unsupported frontend protocol/,
  },
  {
    name: "a notice before AuthenticationOk",
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "NoticeResponse", fields: { message: "hello" } });
    },
    code: "protocol-violation",
    phase: "start-up",
  },
  {
    name: "a second request after the first was answered",
    play: async (peer) => {
      await peer.packet();
      await peer.send({ type: "AuthenticationMD5Password", salt: new Uint8Array(4) });
      await peer.message("password");
      await peer.send({ type: "AuthenticationCleartextPassword" });
    },
    code: "protocol-violation",
    phase: "authenticate",
  },
  {
    name: "AuthenticationOk in the middle of SCRAM",
    play: async (peer) => {
      await peer.packet();
      await new ScramServer(peer, { password: "pencil" }).first();
      await peer.message("sasl");
      await peer.send(...GREETING);
    },
    code: "protocol-violation",
    phase: "authenticate",
  },
];

for (const { name, play, code, phase, text } of ENDS) {
  test(`${name} is ${code} in phase ${phase}`, async () => {
    const server = fakeServer(play);
    const target = { ...LOCAL, sslmode: "disable", password: "pencil" };
    const error = await rejection(connect(target, { adapter: server.adapter }));
    await server.done();
    assert.deepEqual([error.code, error.phase], [code, phase]);
    if (text !== undefined) assert.match(error.message, text);
    assert.doesNotMatch(error.message, /OpenSSH|nginx|Postfix/, "a banner is not echoed");
  });
}
