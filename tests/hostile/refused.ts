/** Targets that must not lead anywhere. */
import assert from "node:assert/strict";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, Target } from "../../src/connect/options.ts";
import { ConfigError, type PgHandshakeError } from "../../src/errors.ts";
import { fakeServer, trust } from "../connect/fake_server.ts";
import { rejection } from "../connect/rejection.ts";

/** Asserts that nothing was dialed for it, and gives the error. */
export async function refused(
  target: Target,
  options: ConnectOptions = {},
): Promise<PgHandshakeError> {
  const server = fakeServer(trust);
  const error = await rejection(connect(target, { ...options, adapter: server.adapter }));
  assert.ok(error instanceof ConfigError, String(error));
  assert.equal(server.dials.length, 0);
  assert.ok(!error.message.includes("\0") && error.message.isWellFormed(), "shown as it is");
  return error;
}
