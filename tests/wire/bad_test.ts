import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { PgHandshakeError } from "../../src/errors.ts";
import { type BackendMessage, encodeBackend } from "../../src/wire/backend.ts";
import {
  encodeFrontend,
  type FrontendMessage,
  type PasswordContext,
} from "../../src/wire/frontend.ts";
import { hex, readVectors, split, type VectorCase } from "../support/vectors.ts";
import {
  decodeClient,
  decodePackets,
  decodeServer,
  errorClass,
  limitsOf,
  revive,
} from "./cases.ts";

/** Octets that must be refused, or a message that must not be written. */
interface BadCase extends VectorCase {
  readonly hex?: string;
  readonly role?: "backend" | "frontend" | "startup";
  readonly limits?: string;
  readonly expect?: PasswordContext;
  readonly message?: unknown;
  /** The class of the error. */
  readonly kind: string;
  /** A part of its message. */
  readonly error: string;
}

/** Stands for a secret in the vectors. */
const SECRET = "hush";
const BACKEND_ONLY = /^(Authentication|Backend|Error|Notif|Negotiate|ParameterStatus)/;

for (const one of readVectors<BadCase>("wire_bad")) {
  if (one.hex === undefined) {
    test(`${one.name} is refused`, () => assertRefused(one, () => encode(one)));
    continue;
  }
  const octets = hex(one.hex);
  test(`${one.name} is refused`, () => assertRefused(one, () => decode(one, [octets])));
  test(`${one.name} is refused octet by octet`, () =>
    assertRefused(one, () => decode(one, split(octets, 1))));
}

function decode(one: BadCase, pieces: readonly Uint8Array[]): unknown {
  switch (one.role) {
    case "backend":
      return decodeServer(pieces, limitsOf(one.limits));
    case "frontend":
      return decodeClient(pieces, one.expect ?? "none");
    default:
      return decodePackets(pieces);
  }
}

function encode(one: BadCase): Uint8Array {
  const message = revive(one.message) as BackendMessage | FrontendMessage;
  return BACKEND_ONLY.test(message.type)
    ? encodeBackend(message as BackendMessage)
    : encodeFrontend(message as FrontendMessage);
}

function assertRefused(one: BadCase, run: () => unknown): void {
  assert.throws(run, (error) => {
    assert.ok(error instanceof PgHandshakeError, String(error));
    assert.ok(error instanceof errorClass(one.kind), `${error.name} came, not ${one.kind}`);
    assert.ok(error.message.includes(one.error), `"${error.message}" lacks "${one.error}"`);
    assert.ok(!error.message.includes(SECRET), "the message shows a value");
    return true;
  });
}
