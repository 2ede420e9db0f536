/** Where and how a contender connects. */
export interface Place {
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly encryption: "plain" | "ssl-request" | "direct";
  /** PEM of the authority that signed the server's certificate. */
  readonly roots: string;
  /** A file with the same. */
  readonly rootsFile: string;
}

/** An open session of whatever kind. */
export interface Opened {
  /** Ends the session as its library does it by default. */
  close(): void | Promise<void>;
}

/** Somebody who can connect; always to the database {@link DATABASE} on {@link HOST}. */
export interface Contender {
  /** Opens a session, ready for its first query. */
  open(place: Place): Promise<Opened>;
  /** The same with a query sent as early as it may be; settles with its result. Absent if it has no such way. */
  openWithQuery?(place: Place): Promise<Opened>;
  /** Forgets what it knows of earlier connections. Absent if it knows nothing. */
  forget?(): void;
}

/** An IP address, so that nobody looks a name up. */
export const HOST = "127.0.0.1";
/** What the standard test server has. */
export const DATABASE = "app";
/** What {@link Contender.openWithQuery} asks. */
export const FIRST_QUERY = "select 1";
