import { ConfigError } from "../errors.ts";

/** A connection parameter of libpq 18. */
export type Keyword =
  | "service"
  | "user"
  | "password"
  | "passfile"
  | "channel_binding"
  | "connect_timeout"
  | "dbname"
  | "host"
  | "hostaddr"
  | "port"
  | "client_encoding"
  | "options"
  | "application_name"
  | "fallback_application_name"
  | "keepalives"
  | "keepalives_idle"
  | "keepalives_interval"
  | "keepalives_count"
  | "tcp_user_timeout"
  | "sslmode"
  | "sslnegotiation"
  | "sslcompression"
  | "sslcert"
  | "sslkey"
  | "sslcertmode"
  | "sslpassword"
  | "sslrootcert"
  | "sslcrl"
  | "sslcrldir"
  | "sslsni"
  | "requirepeer"
  | "require_auth"
  | "min_protocol_version"
  | "max_protocol_version"
  | "ssl_min_protocol_version"
  | "ssl_max_protocol_version"
  | "gssencmode"
  | "krbsrvname"
  | "gsslib"
  | "gssdelegation"
  | "replication"
  | "target_session_attrs"
  | "load_balance_hosts"
  | "scram_client_key"
  | "scram_server_key"
  | "oauth_issuer"
  | "oauth_client_id"
  | "oauth_client_secret"
  | "oauth_scope"
  | "sslkeylogfile";

/** How the text of a parameter is read. A `secret` is never shown. */
export type KeywordKind = "text" | "integer" | "boolean" | "enum" | "list" | "path" | "secret";

/** What is known about one parameter. */
export interface KeywordInfo {
  /** Its name. */
  readonly keyword: Keyword;
  /** The environment variable libpq reads it from. */
  readonly environment?: string;
  /** libpq's default where it is a fixed text. */
  readonly default?: string;
  /** How its text is read. */
  readonly kind: KeywordKind;
  /** The words of an `enum`, or the items of a `list` that has a fixed set. */
  readonly values?: readonly string[];
  /** The first PostgreSQL release whose libpq knows it; "8.4" stands for that and everything before. */
  readonly since: string;
  /** Whether this version gives it a meaning; setting one that it does not is an error. */
  readonly acts: boolean;
  /** The `values` this version can honour, where these are not all of them. */
  readonly honoured?: readonly string[];
  /** What it sets, in one line. */
  readonly about: string;
}

const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
const PROTOCOL_VERSIONS = ["3.0", "3.2", "latest"] as const;

/** Every parameter of libpq 18.6 (fe-connect.c, PQconninfoOptions; manual, section Parameter Key Words). */
const TABLE: Readonly<Record<Keyword, Omit<KeywordInfo, "keyword">>> = {
  service: {
    environment: "PGSERVICE",
    kind: "text",
    since: "8.4",
    acts: false,
    about: "section of the service file that gives the other parameters",
  },
  user: {
    environment: "PGUSER",
    kind: "text",
    since: "8.4",
    acts: true,
    about: "role to log in as; the account of the operating system unless set",
  },
  password: {
    environment: "PGPASSWORD",
    kind: "secret",
    since: "8.4",
    acts: true,
    about: "password of the role",
  },
  passfile: {
    environment: "PGPASSFILE",
    kind: "path",
    since: "10",
    acts: false,
    about: "file that holds passwords",
  },
  channel_binding: {
    environment: "PGCHANNELBINDING",
    default: "prefer",
    kind: "enum",
    values: ["disable", "prefer", "require"],
    since: "13",
    acts: true,
    about: "whether SCRAM is bound to the TLS channel",
  },
  connect_timeout: {
    environment: "PGCONNECT_TIMEOUT",
    kind: "integer",
    since: "8.4",
    acts: true,
    about: "seconds for each address, from the first packet to the first ReadyForQuery",
  },
  dbname: {
    environment: "PGDATABASE",
    kind: "text",
    since: "8.4",
    acts: true,
    about: "database; the user's name unless set",
  },
  host: {
    environment: "PGHOST",
    kind: "list",
    since: "8.4",
    acts: true,
    about: "names, IP addresses or directories of Unix sockets",
  },
  hostaddr: {
    environment: "PGHOSTADDR",
    kind: "list",
    since: "8.4",
    acts: true,
    about: "IP addresses to dial in place of looking up host",
  },
  port: {
    environment: "PGPORT",
    default: "5432",
    kind: "list",
    since: "8.4",
    acts: true,
    about: "one port for all hosts, or one for each",
  },
  client_encoding: {
    environment: "PGCLIENTENCODING",
    kind: "text",
    since: "9.1",
    acts: true,
    about: "encoding of the session; UTF8, or auto for the server's default",
  },
  options: {
    environment: "PGOPTIONS",
    default: "",
    kind: "text",
    since: "8.4",
    acts: true,
    about: "command-line options for the server",
  },
  application_name: {
    environment: "PGAPPNAME",
    kind: "text",
    since: "9.0",
    acts: true,
    about: "name shown in pg_stat_activity",
  },
  fallback_application_name: {
    kind: "text",
    since: "9.0",
    acts: true,
    about: "application_name where none is set",
  },
  keepalives: {
    default: "1",
    kind: "boolean",
    since: "9.0",
    acts: false,
    about: "whether TCP keepalives are sent",
  },
  keepalives_idle: {
    kind: "integer",
    since: "9.0",
    acts: false,
    about: "seconds of silence before a TCP keepalive",
  },
  keepalives_interval: {
    kind: "integer",
    since: "9.0",
    acts: false,
    about: "seconds between TCP keepalives",
  },
  keepalives_count: {
    kind: "integer",
    since: "9.0",
    acts: false,
    about: "lost TCP keepalives before the connection counts as dead",
  },
  tcp_user_timeout: {
    kind: "integer",
    since: "12",
    acts: false,
    about: "milliseconds octets may stay unacknowledged",
  },
  sslmode: {
    environment: "PGSSLMODE",
    default: "prefer",
    kind: "enum",
    values: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    since: "8.4",
    acts: true,
    about: "whether TLS is used, and how far the server is verified",
  },
  sslnegotiation: {
    environment: "PGSSLNEGOTIATION",
    default: "postgres",
    kind: "enum",
    values: ["postgres", "direct"],
    since: "17",
    acts: true,
    about: "whether TLS is asked for first or begins at once",
  },
  sslcompression: {
    environment: "PGSSLCOMPRESSION",
    default: "0",
    kind: "boolean",
    since: "9.2",
    acts: true,
    about: "obsolete, accepted and ignored",
  },
  sslcert: {
    environment: "PGSSLCERT",
    kind: "path",
    since: "8.4",
    acts: true,
    about: "client certificate",
  },
  sslkey: {
    environment: "PGSSLKEY",
    kind: "path",
    since: "8.4",
    acts: true,
    about: "private key of the client certificate",
  },
  sslcertmode: {
    environment: "PGSSLCERTMODE",
    default: "allow",
    kind: "enum",
    values: ["disable", "allow", "require"],
    since: "16",
    acts: false,
    about: "whether a client certificate is sent",
  },
  sslpassword: {
    kind: "secret",
    since: "13",
    acts: true,
    about: "passphrase of sslkey",
  },
  sslrootcert: {
    environment: "PGSSLROOTCERT",
    kind: "path",
    since: "8.4",
    acts: true,
    about: "certificates to trust, or system",
  },
  sslcrl: {
    environment: "PGSSLCRL",
    kind: "path",
    since: "8.4",
    acts: false,
    about: "certificate revocation list",
  },
  sslcrldir: {
    environment: "PGSSLCRLDIR",
    kind: "path",
    since: "14",
    acts: false,
    about: "directory of certificate revocation lists",
  },
  sslsni: {
    environment: "PGSSLSNI",
    default: "1",
    kind: "boolean",
    since: "14",
    acts: true,
    about: "whether the host's name is sent in the TLS handshake",
  },
  requirepeer: {
    environment: "PGREQUIREPEER",
    kind: "text",
    since: "9.1",
    acts: false,
    about: "account the server at a Unix socket must run as",
  },
  require_auth: {
    environment: "PGREQUIREAUTH",
    kind: "list",
    values: ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"],
    since: "16",
    acts: true,
    about: "authentication methods that may, or may not, be used",
  },
  min_protocol_version: {
    environment: "PGMINPROTOCOLVERSION",
    default: "3.0",
    kind: "enum",
    values: PROTOCOL_VERSIONS,
    since: "18",
    acts: true,
    about: "lowest protocol version to accept",
  },
  max_protocol_version: {
    environment: "PGMAXPROTOCOLVERSION",
    default: "3.0",
    kind: "enum",
    values: PROTOCOL_VERSIONS,
    since: "18",
    acts: true,
    about: "protocol version to ask for",
  },
  ssl_min_protocol_version: {
    environment: "PGSSLMINPROTOCOLVERSION",
    default: "TLSv1.2",
    kind: "enum",
    values: TLS_VERSIONS,
    since: "13",
    acts: true,
    about: "lowest TLS version to accept",
  },
  ssl_max_protocol_version: {
    environment: "PGSSLMAXPROTOCOLVERSION",
    kind: "enum",
    values: TLS_VERSIONS,
    since: "13",
    acts: true,
    about: "highest TLS version to offer",
  },
  gssencmode: {
    environment: "PGGSSENCMODE",
    default: "prefer",
    kind: "enum",
    values: ["disable", "prefer", "require"],
    since: "12",
    acts: true,
    honoured: ["disable", "prefer"],
    about: "whether GSSAPI encryption is used",
  },
  krbsrvname: {
    environment: "PGKRBSRVNAME",
    default: "postgres",
    kind: "text",
    since: "8.4",
    acts: false,
    about: "Kerberos service name of the server",
  },
  gsslib: {
    environment: "PGGSSLIB",
    kind: "enum",
    values: ["gssapi", "sspi"],
    since: "8.4",
    acts: false,
    about: "library for GSSAPI on Windows",
  },
  gssdelegation: {
    environment: "PGGSSDELEGATION",
    default: "0",
    kind: "boolean",
    since: "16",
    acts: false,
    about: "whether Kerberos credentials are passed on to the server",
  },
  replication: {
    kind: "text",
    since: "9.0",
    acts: true,
    about: "whether the session speaks the replication protocol; sent as given",
  },
  target_session_attrs: {
    environment: "PGTARGETSESSIONATTRS",
    default: "any",
    kind: "enum",
    values: ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
    since: "10",
    acts: true,
    honoured: ["any"],
    about: "what kind of server is wanted",
  },
  load_balance_hosts: {
    environment: "PGLOADBALANCEHOSTS",
    default: "disable",
    kind: "enum",
    values: ["disable", "random"],
    since: "16",
    acts: true,
    honoured: ["disable"],
    about: "whether hosts are tried in random order",
  },
  scram_client_key: {
    kind: "secret",
    since: "18",
    acts: true,
    about: "SCRAM ClientKey in base64, in place of the password",
  },
  scram_server_key: {
    kind: "secret",
    since: "18",
    acts: true,
    about: "SCRAM ServerKey in base64, in place of the password",
  },
  oauth_issuer: {
    kind: "text",
    since: "18",
    acts: false,
    about: "issuer of OAuth tokens to trust",
  },
  oauth_client_id: {
    kind: "text",
    since: "18",
    acts: false,
    about: "name of this client at the issuer",
  },
  oauth_client_secret: {
    kind: "secret",
    since: "18",
    acts: false,
    about: "secret of this client at the issuer",
  },
  oauth_scope: {
    kind: "text",
    since: "18",
    acts: false,
    about: "scope to ask the issuer for",
  },
  sslkeylogfile: {
    kind: "path",
    since: "18",
    acts: false,
    about: "file that receives the keys of TLS sessions",
  },
};

/** Every parameter of libpq 18, in the order its manual groups them. */
export const KEYWORDS: readonly KeywordInfo[] = (Object.keys(TABLE) as Keyword[])
  .map((keyword) => ({ keyword, ...TABLE[keyword] }));

/** Whether libpq has a parameter of this name; case matters, as in libpq. */
export function isKeyword(text: string): text is Keyword {
  return Object.hasOwn(TABLE, text);
}

/** What is known about a parameter. */
export function keywordInfo(keyword: Keyword): KeywordInfo {
  return { keyword, ...TABLE[keyword] };
}

/** Names other software gives to parameters; too far from libpq's for the edit distance. */
const OTHER_NAMES: Readonly<Record<string, Keyword>> = {
  username: "user",
  pass: "password",
  hostname: "host",
  server: "host",
  database: "dbname",
  db: "dbname",
  timeout: "connect_timeout",
  ssl: "sslmode",
  encoding: "client_encoding",
};

/**
 * The parameter somebody may have meant: the same letters in another case or with other separators, another
 * software's name for it, or the nearest by edit distance, at most one change in three letters.
 *
 * @returns undefined if nothing is near.
 */
export function nearestKeyword(text: string): Keyword | undefined {
  const wanted = plain(text);
  // Longer than any parameter, with room for slips; also bounds the work.
  if (wanted.length > 40) return undefined;
  if (Object.hasOwn(OTHER_NAMES, wanted)) return OTHER_NAMES[wanted];
  let nearest: Keyword | undefined;
  let least = Math.floor(wanted.length / 3) + 1;
  for (const { keyword } of KEYWORDS) {
    const distance = editDistance(wanted, plain(keyword));
    if (distance < least) {
      least = distance;
      nearest = keyword;
    }
  }
  return nearest;
}

/**
 * The error for a parameter libpq does not have.
 *
 * @param text The name.
 * @param place Where it stands, for example "at position 12", if the name must not be shown: it may be a part of a
 *   password.
 */
export function unknownKeyword(text: string, place?: string): ConfigError {
  const nearest = nearestKeyword(text);
  const perhaps = nearest === undefined ? "" : `, perhaps "${nearest}"`;
  return new ConfigError(
    `Cannot use the keyword ${place ?? `"${text}"`}: libpq has no such parameter${perhaps}`,
  );
}

function plain(text: string): string {
  return text.toLowerCase().replace(/[-_]/g, "");
}

/** Insertions, deletions and replacements of one letter, and exchanges of two neighbours (optimal string alignment). */
function editDistance(a: string, b: string): number {
  let before: readonly number[] = [];
  let row: readonly number[] = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
        ? (before[j - 2] ?? 0) + 1
        : Infinity;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? 0;
}
