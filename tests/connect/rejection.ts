/** What a promise rejected with, as the kind of error a test expects. */
import assert from "node:assert/strict";
import { type ErrorCode, PgHandshakeError, type Phase } from "../../src/errors.ts";
import { ConnectError } from "../../src/connect/connect_error.ts";

/** The error of this package a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<PgHandshakeError> {
  const error = await reasonOf(promise);
  assert.ok(error instanceof PgHandshakeError, `not an error of one attempt: ${String(error)}`);
  return error;
}

/** The error of several attempts a promise rejects with. */
export async function connectRejection(promise: Promise<unknown>): Promise<ConnectError> {
  const error = await reasonOf(promise);
  assert.ok(error instanceof ConnectError, `not an error of several attempts: ${String(error)}`);
  return error;
}

/** Whatever a promise rejects with. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  assert.fail("it did not reject");
}

/** `code` and `phase` of the error, one or several attempts alike. */
export async function refusal(
  promise: Promise<unknown>,
): Promise<{ readonly code: ErrorCode; readonly phase: Phase }> {
  const error = await reasonOf(promise);
  if (!(error instanceof PgHandshakeError || error instanceof ConnectError)) throw error;
  return { code: error.code, phase: error.phase };
}
