import { now } from "../transport/runtime.ts";
import { abortError } from "./clock.ts";
import { type Circumstances, establish, type Established } from "./establish.ts";
import { Journey } from "./journey.ts";
import { ConnectReport, type Savings, savings } from "./report.ts";
import { Session } from "./session.ts";

/**
 * Goes the whole way to a session, and counts it.
 *
 * @param circumstances What stays the same over all attempts.
 * @param began When it was asked for, as `now()` tells.
 * @throws Everything `connect()` throws once the settings are settled.
 */
export async function openSession(circumstances: Circumstances, began: number): Promise<Session> {
  const { memory } = circumstances;
  const journey = new Journey(circumstances, establish);
  const result = await journey.run();
  if ("error" in result) throw result.error;
  announce(circumstances, result);
  const saved = savingsOf(result);
  memory.count("sessions");
  if (saved.earlySasl) memory.count("earlySasl");
  if (saved.earlyQuery) memory.count("earlyQueries");
  const report = new ConnectReport(journey.attempts, now() - began, saved);
  return new Session(result, { ...circumstances, report });
}

/**
 * Says that the session is ready. A listener that throws gets its error, one that fires the signal the signal's, and
 * nobody gets the session.
 */
function announce({ emit, options: { signal } }: Circumstances, { transport }: Established): void {
  try {
    emit?.({ type: "ready" });
    if (signal?.aborted) throw abortError(signal, "ready");
  } catch (error) {
    transport.close();
    throw error;
  }
}

function savingsOf({ start, keysReused }: Established): Savings {
  return savings(start.early.sasl, start.early.query === "sent", keysReused);
}
