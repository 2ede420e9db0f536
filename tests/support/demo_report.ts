/** What `demo.ts` asks of one runtime, and the lines of JSON that come back. */

/** One place to connect to. */
export interface DemoTarget {
  /** Names it in the answer. */
  readonly id: string;
  readonly user: string;
  /** undefined gives none. */
  readonly password: string | undefined;
  readonly host: string;
  readonly port: number;
  /** The part of the URI behind "?". */
  readonly parameters: string;
}

/** Everything one runtime does; JSON in the first argument of `demo_client.ts`. */
export interface DemoTask {
  /** Must succeed. */
  readonly connections: readonly DemoTarget[];
  /** Must fail. */
  readonly refusals: readonly DemoTarget[];
  /** Is written down message by message; undefined leaves it out. */
  readonly traced: DemoTarget | undefined;
  /** How many connects a duration is the median of. */
  readonly rounds: number;
}

/** A session as it was negotiated, and what that took. */
export interface SessionLine {
  readonly kind: "session";
  readonly id: string;
  readonly method: string;
  readonly bound: boolean;
  /** Encryption, cipher, ALPN and verification in words. */
  readonly channel: string;
  readonly serverVersion: string;
  /** 1 for TCP, and the turns from client to server and back that the proxy saw. */
  readonly roundTrips: number;
  /** Median milliseconds from the call of connect() to the session. */
  readonly ms: number;
  /** The adapter that opened the socket. */
  readonly adapter: string;
}

/** An error as it was thrown. */
export interface RefusalLine {
  readonly kind: "refusal";
  readonly id: string;
  readonly name: string;
  readonly code: string;
  readonly sqlState: string;
  readonly phase: string;
  readonly message: string;
}

/** One event of the connection that was written down. */
export interface TraceLine {
  readonly kind: "trace";
  /** Milliseconds since connect() was called. */
  readonly at: number;
  /** "step" is something the client did that is no message. */
  readonly direction: "sent" | "received" | "step";
  readonly name: string;
  readonly detail: string;
}

/** What should not have happened. */
export interface FailureLine {
  readonly kind: "failure";
  readonly id: string;
  readonly message: string;
}

/** One line a client prints. */
export type DemoLine = SessionLine | RefusalLine | TraceLine | FailureLine;

/** The target as a URI. Users, passwords and names of the demo hold nothing that would have to be escaped. */
export function uriOf(target: DemoTarget, port: number = target.port): string {
  const { user, password, host, parameters } = target;
  const who = password === undefined ? user : `${user}:${password}`;
  return `postgres://${who}@${host}:${port}/app?${parameters}`;
}

/** The target as a URI fit for printing. */
export function shownUri(target: DemoTarget): string {
  return uriOf({ ...target, password: target.password === undefined ? undefined : "****" });
}
