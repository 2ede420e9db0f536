/** Connects that are aborted somewhere on their way, and where that was. */
import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { connect } from "../../src/connect/connect.ts";
import type { ConnectOptions, TargetObject } from "../../src/connect/options.ts";
import { ConnectionError, PgHandshakeError } from "../../src/errors.ts";

/** What chance begins with; printed where it matters. */
export const SEED = 20_261_120;
/** Each round has a signal of its own. */
export const OWN_SIGNALS = { signal: false, timers: false } as const;

/** Opens a session and closes it. */
export async function openAndClose(target: TargetObject, options: ConnectOptions): Promise<void> {
  const session = await connect(target, options);
  await session.close();
}

/** Aborts after so many turns of the event loop and, within the next, so many of the microtask queue. */
export async function abortAfter(
  controller: AbortController,
  turns: number,
  microtasks: number,
): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    await new Promise<void>((resolve) => setImmediate(() => resolve()));
  }
  for (let step = 0; step < microtasks; step++) await undefined;
  controller.abort();
}

/** Where aborts hit; "ready" where the connection was faster. */
export type Hits = Map<string, number>;

/** Connects with a signal that fires somewhere on the way, and notes where. */
export async function abortedOnce(
  target: TargetObject,
  options: ConnectOptions,
  abort: (controller: AbortController) => Promise<void>,
  hits: Hits,
): Promise<void> {
  const controller = new AbortController();
  const aborting = abort(controller);
  let where = "ready";
  try {
    await openAndClose(target, { ...options, signal: controller.signal });
  } catch (error) {
    // One attempt each: anything else would be a ConnectError, and no leak but a failure.
    if (!(error instanceof PgHandshakeError)) throw error;
    assert.ok(error instanceof ConnectionError, String(error));
    assert.equal(error.code, "aborted");
    where = error.phase;
  }
  hits.set(where, (hits.get(where) ?? 0) + 1);
  await aborting;
}

/** Asserts that aborts hit each of these places. */
export function assertSpread(hits: Hits, places: readonly string[]): void {
  for (const place of places) {
    assert.ok((hits.get(place) ?? 0) > 0, `seed ${SEED}: none in ${place} of ${[...hits].join()}`);
  }
}
