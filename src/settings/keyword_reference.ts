/** What libpq's manual says of every parameter, for people and tools; connecting needs none of it. */
import { type Keyword, KEYWORD_NAMES, VARIABLE_OF } from "./keywords.ts";

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
  /** What holds where nothing sets it and `default` is no fixed text, as a person would say it. */
  readonly otherwise?: string;
  /** What it sets, in one line. */
  readonly about: string;
}

/** An environment variable that stands for no connection parameter. */
export interface EnvironmentVariable {
  /** Its name. */
  readonly name: string;
  /** What it sets, in one line. */
  readonly about: string;
  /** The run-time setting of the server it gives; its value "default", in any case, gives none. */
  readonly setting?: string;
}

const TLS_VERSIONS = ["TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3"] as const;
const PROTOCOL_VERSIONS = ["3.0", "3.2", "latest"] as const;

/** Manual, section Parameter Key Words. */
const TABLE: Readonly<Record<Keyword, Omit<KeywordInfo, "keyword" | "environment">>> = {
  service: {
    kind: "text",
    since: "8.4",
    about: "section of the service file that gives the other parameters",
  },
  user: {
    kind: "text",
    otherwise: "the account that runs this",
    since: "8.4",
    about: "role to log in as",
  },
  password: {
    kind: "secret",
    since: "8.4",
    about: "password of the role",
  },
  passfile: {
    kind: "path",
    otherwise: "~/.pgpass, or postgresql/pgpass.conf in APPDATA on Windows",
    since: "10",
    about: "file that holds passwords, read when one is asked for",
  },
  channel_binding: {
    default: "prefer",
    kind: "enum",
    values: ["disable", "prefer", "require"],
    since: "13",
    about: "whether SCRAM is bound to the TLS channel",
  },
  connect_timeout: {
    kind: "integer",
    since: "8.4",
    about: "seconds for each address, from the first packet to the first ReadyForQuery",
  },
  dbname: {
    kind: "text",
    otherwise: "user",
    since: "8.4",
    about: "database to open; in an object it may hold a whole connection string",
  },
  host: {
    kind: "list",
    otherwise: "the directory of Unix sockets; localhost on Windows",
    since: "8.4",
    about: "names, IP addresses or directories of Unix sockets",
  },
  hostaddr: {
    kind: "list",
    since: "8.4",
    about: "IP addresses to dial in place of looking up host",
  },
  port: {
    default: "5432",
    kind: "list",
    since: "8.4",
    about: "one port for all hosts, or one for each",
  },
  client_encoding: {
    kind: "text",
    otherwise: "UTF8",
    since: "9.1",
    about: "encoding of the session; nothing but UTF8 is spoken, and auto means that too",
  },
  options: {
    default: "",
    kind: "text",
    since: "8.4",
    about: "command-line options for the server",
  },
  application_name: {
    kind: "text",
    since: "9.0",
    about: "name shown in pg_stat_activity",
  },
  fallback_application_name: {
    kind: "text",
    since: "9.0",
    about: "application_name where none is set",
  },
  keepalives: {
    default: "1",
    kind: "boolean",
    since: "9.0",
    about: "whether TCP keepalives are sent",
  },
  keepalives_idle: {
    kind: "integer",
    otherwise: "the system's",
    since: "9.0",
    about: "seconds of silence before a TCP keepalive; 0 for the system's",
  },
  keepalives_interval: {
    kind: "integer",
    otherwise: "the system's",
    since: "9.0",
    about: "seconds between TCP keepalives; 0 for the system's",
  },
  keepalives_count: {
    kind: "integer",
    otherwise: "the system's",
    since: "9.0",
    about: "lost TCP keepalives before the connection counts as dead",
  },
  tcp_user_timeout: {
    kind: "integer",
    otherwise: "the system's",
    since: "12",
    about: "milliseconds octets may stay unacknowledged; 0 for the system's",
  },
  sslmode: {
    default: "prefer",
    kind: "enum",
    values: ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"],
    since: "8.4",
    about: "whether TLS is used, and how far the server is verified",
  },
  sslnegotiation: {
    default: "postgres",
    kind: "enum",
    values: ["postgres", "direct"],
    since: "17",
    about: "whether TLS is asked for first or begins at once",
  },
  sslcompression: {
    default: "0",
    kind: "boolean",
    since: "9.2",
    about: "obsolete, accepted and ignored",
  },
  sslcert: {
    kind: "path",
    since: "8.4",
    about: "client certificate",
  },
  sslkey: {
    kind: "path",
    since: "8.4",
    about: "private key of the client certificate",
  },
  sslcertmode: {
    default: "allow",
    kind: "enum",
    values: ["disable", "allow", "require"],
    since: "16",
    about: "whether a client certificate is sent",
  },
  sslpassword: {
    kind: "secret",
    since: "13",
    about: "passphrase of sslkey",
  },
  sslrootcert: {
    kind: "path",
    otherwise: "~/.postgresql/root.crt if it exists",
    since: "8.4",
    about: "certificates to trust, or system",
  },
  sslcrl: {
    kind: "path",
    otherwise: "~/.postgresql/root.crl if it exists",
    since: "8.4",
    about: "certificate revocation list",
  },
  sslcrldir: {
    kind: "path",
    since: "14",
    about: "directory of certificate revocation lists",
  },
  sslsni: {
    default: "1",
    kind: "boolean",
    since: "14",
    about: "whether the host's name is sent in the TLS handshake",
  },
  requirepeer: {
    kind: "text",
    since: "9.1",
    about: "account the server at a Unix socket must run as",
  },
  require_auth: {
    kind: "list",
    values: ["password", "md5", "gss", "sspi", "scram-sha-256", "oauth", "none"],
    since: "16",
    about: "authentication methods that may, or may not, be used",
  },
  min_protocol_version: {
    default: "3.0",
    kind: "enum",
    values: PROTOCOL_VERSIONS,
    since: "18",
    about: "lowest protocol version to accept",
  },
  max_protocol_version: {
    default: "3.0",
    kind: "enum",
    values: PROTOCOL_VERSIONS,
    since: "18",
    about: "protocol version to ask for",
  },
  ssl_min_protocol_version: {
    default: "TLSv1.2",
    kind: "enum",
    values: TLS_VERSIONS,
    since: "13",
    about: "lowest TLS version to accept",
  },
  ssl_max_protocol_version: {
    kind: "enum",
    values: TLS_VERSIONS,
    since: "13",
    about: "highest TLS version to offer",
  },
  gssencmode: {
    default: "prefer",
    kind: "enum",
    values: ["disable", "prefer", "require"],
    since: "12",
    about: "whether GSSAPI encryption is used",
  },
  krbsrvname: {
    default: "postgres",
    kind: "text",
    since: "8.4",
    about: "Kerberos service name of the server",
  },
  gsslib: {
    kind: "enum",
    values: ["gssapi", "sspi"],
    since: "8.4",
    about: "library for GSSAPI on Windows",
  },
  gssdelegation: {
    default: "0",
    kind: "boolean",
    since: "16",
    about: "whether Kerberos credentials are passed on to the server",
  },
  replication: {
    kind: "text",
    since: "9.0",
    about: "whether the session speaks the replication protocol; sent as given",
  },
  target_session_attrs: {
    default: "any",
    kind: "enum",
    values: ["any", "read-write", "read-only", "primary", "standby", "prefer-standby"],
    since: "10",
    about: "what kind of server is wanted",
  },
  load_balance_hosts: {
    default: "disable",
    kind: "enum",
    values: ["disable", "random"],
    since: "16",
    about: "whether hosts are tried in random order",
  },
  scram_client_key: {
    kind: "secret",
    since: "18",
    about: "SCRAM ClientKey in base64, in place of the password",
  },
  scram_server_key: {
    kind: "secret",
    since: "18",
    about: "SCRAM ServerKey in base64, in place of the password",
  },
  oauth_issuer: {
    kind: "text",
    since: "18",
    about: "issuer of OAuth tokens to trust",
  },
  oauth_client_id: {
    kind: "text",
    since: "18",
    about: "name of this client at the issuer",
  },
  oauth_client_secret: {
    kind: "secret",
    since: "18",
    about: "secret of this client at the issuer",
  },
  oauth_scope: {
    kind: "text",
    since: "18",
    about: "scope to ask the issuer for",
  },
  sslkeylogfile: {
    kind: "path",
    since: "18",
    about: "file that receives the keys of TLS sessions",
  },
};

/** Environment variables of libpq 18 that stand for no connection parameter (manual, section Environment Variables). */
export const ENVIRONMENT_ONLY: readonly EnvironmentVariable[] = [
  { name: "PGSERVICEFILE", about: "path of the service file; ~/.pg_service.conf unless set" },
  { name: "PGSYSCONFDIR", about: "directory of the system's pg_service.conf" },
  { name: "PGREQUIRESSL", about: "old form: a value that begins with 1 is sslmode=require" },
  { name: "PGDATESTYLE", about: "DateStyle of the session", setting: "datestyle" },
  { name: "PGTZ", about: "TimeZone of the session", setting: "timezone" },
  { name: "PGGEQO", about: "geqo of the session", setting: "geqo" },
];

/** Every parameter of libpq 18, in the order its manual groups them. */
export const KEYWORDS: readonly KeywordInfo[] = KEYWORD_NAMES.map(keywordInfo);

/** What is known about a parameter. */
export function keywordInfo(keyword: Keyword): KeywordInfo {
  const environment = VARIABLE_OF[keyword];
  return { keyword, ...(environment !== undefined && { environment }), ...TABLE[keyword] };
}
