import type { TargetSessionAttrs } from "../settings/resolve.ts";

/** What one session must be; `prefer-standby` is `standby` in the first pass and `any` in the second. */
export type WantedSession = Exclude<TargetSessionAttrs, "prefer-standby">;

/** Whether a session is what was wanted, or which query tells. */
export type SessionVerdict =
  | { readonly is: "accepted" }
  | { readonly is: "refused"; readonly because: string }
  | {
    readonly is: "unknown";
    /** The query whose one value tells. */
    readonly query: string;
    /** Judges that value; undefined if the query gave anything but one value. */
    judge(value: string | undefined): SessionVerdict;
  };

/** From this version on servers report what is needed (libpq: 140000). */
const REPORTS_STATE = 140_000;
/** From this version on there are standbys one can connect to (libpq: 90000). */
const KNOWS_RECOVERY = 90_000;

const ACCEPTED: SessionVerdict = { is: "accepted" };

/**
 * Judges a session by what the server reported in start-up (libpq, PQconnectPoll, CONNECTION_CHECK_TARGET).
 *
 * @param wanted What the session must be.
 * @param parameters The reported run-time parameters.
 * @param serverVersion As PQserverVersion counts.
 */
export function judgeSession(
  wanted: WantedSession,
  parameters: ReadonlyMap<string, string>,
  serverVersion: number,
): SessionVerdict {
  switch (wanted) {
    case "any":
      return ACCEPTED;
    case "read-write":
    case "read-only":
      return judgeReadOnly(wanted, parameters, serverVersion);
    case "primary":
    case "standby":
      return judgeStandby(wanted, parameters, serverVersion);
  }
}

function judgeReadOnly(
  wanted: "read-write" | "read-only",
  parameters: ReadonlyMap<string, string>,
  serverVersion: number,
): SessionVerdict {
  const byDefault = parameters.get("default_transaction_read_only");
  const inStandby = parameters.get("in_hot_standby");
  if (serverVersion >= REPORTS_STATE && byDefault !== undefined && inStandby !== undefined) {
    return readOnlyVerdict(wanted, byDefault === "on" || inStandby === "on");
  }
  return {
    is: "unknown",
    query: "SHOW transaction_read_only",
    judge: (value) =>
      value === undefined
        ? { is: "refused", because: '"SHOW transaction_read_only" failed' }
        : readOnlyVerdict(wanted, value.startsWith("on")),
  };
}

function readOnlyVerdict(wanted: "read-write" | "read-only", isReadOnly: boolean): SessionVerdict {
  if (isReadOnly === (wanted === "read-only")) return ACCEPTED;
  return {
    is: "refused",
    because: isReadOnly ? "session is read-only" : "session is not read-only",
  };
}

function judgeStandby(
  wanted: "primary" | "standby",
  parameters: ReadonlyMap<string, string>,
  serverVersion: number,
): SessionVerdict {
  const inStandby = parameters.get("in_hot_standby");
  if (serverVersion >= REPORTS_STATE && inStandby !== undefined) {
    return standbyVerdict(wanted, inStandby === "on");
  }
  if (serverVersion < KNOWS_RECOVERY) return standbyVerdict(wanted, false);
  return {
    is: "unknown",
    query: "SELECT pg_catalog.pg_is_in_recovery()",
    judge: (value) =>
      value === undefined
        ? { is: "refused", because: '"SELECT pg_is_in_recovery()" failed' }
        : standbyVerdict(wanted, value.startsWith("t")),
  };
}

function standbyVerdict(wanted: "primary" | "standby", isStandby: boolean): SessionVerdict {
  if (isStandby === (wanted === "standby")) return ACCEPTED;
  return {
    is: "refused",
    because: isStandby ? "server is in hot standby mode" : "server is not in hot standby mode",
  };
}
