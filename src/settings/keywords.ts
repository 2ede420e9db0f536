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

/**
 * Every parameter of libpq 18.6 (fe-connect.c, PQconninfoOptions), in the order its manual groups them, with the
 * environment variable it is read from.
 */
export const VARIABLE_OF: Readonly<Record<Keyword, string | undefined>> = {
  service: "PGSERVICE",
  user: "PGUSER",
  password: "PGPASSWORD",
  passfile: "PGPASSFILE",
  channel_binding: "PGCHANNELBINDING",
  connect_timeout: "PGCONNECT_TIMEOUT",
  dbname: "PGDATABASE",
  host: "PGHOST",
  hostaddr: "PGHOSTADDR",
  port: "PGPORT",
  client_encoding: "PGCLIENTENCODING",
  options: "PGOPTIONS",
  application_name: "PGAPPNAME",
  fallback_application_name: undefined,
  keepalives: undefined,
  keepalives_idle: undefined,
  keepalives_interval: undefined,
  keepalives_count: undefined,
  tcp_user_timeout: undefined,
  sslmode: "PGSSLMODE",
  sslnegotiation: "PGSSLNEGOTIATION",
  sslcompression: "PGSSLCOMPRESSION",
  sslcert: "PGSSLCERT",
  sslkey: "PGSSLKEY",
  sslcertmode: "PGSSLCERTMODE",
  sslpassword: undefined,
  sslrootcert: "PGSSLROOTCERT",
  sslcrl: "PGSSLCRL",
  sslcrldir: "PGSSLCRLDIR",
  sslsni: "PGSSLSNI",
  requirepeer: "PGREQUIREPEER",
  require_auth: "PGREQUIREAUTH",
  min_protocol_version: "PGMINPROTOCOLVERSION",
  max_protocol_version: "PGMAXPROTOCOLVERSION",
  ssl_min_protocol_version: "PGSSLMINPROTOCOLVERSION",
  ssl_max_protocol_version: "PGSSLMAXPROTOCOLVERSION",
  gssencmode: "PGGSSENCMODE",
  krbsrvname: "PGKRBSRVNAME",
  gsslib: "PGGSSLIB",
  gssdelegation: "PGGSSDELEGATION",
  replication: undefined,
  target_session_attrs: "PGTARGETSESSIONATTRS",
  load_balance_hosts: "PGLOADBALANCEHOSTS",
  scram_client_key: undefined,
  scram_server_key: undefined,
  oauth_issuer: undefined,
  oauth_client_id: undefined,
  oauth_client_secret: undefined,
  oauth_scope: undefined,
  sslkeylogfile: undefined,
};

/** Every parameter, in the same order. */
export const KEYWORD_NAMES: readonly Keyword[] = Object.keys(VARIABLE_OF) as Keyword[];

/** Whether libpq has a parameter of this name; case matters, as in libpq. */
export function isKeyword(text: string): text is Keyword {
  return Object.hasOwn(VARIABLE_OF, text);
}

/** Parameters whose values are never shown. */
export const SECRET_KEYWORDS: ReadonlySet<Keyword> = new Set([
  "password",
  "sslpassword",
  "scram_client_key",
  "scram_server_key",
  "oauth_client_secret",
]);

/** Environment variables that give a run-time setting of the server and no parameter (fe-protocol3.c, EnvironmentOptions). */
export const SETTING_OF_VARIABLE: readonly (readonly [variable: string, setting: string])[] = [
  ["PGDATESTYLE", "datestyle"],
  ["PGTZ", "timezone"],
  ["PGGEQO", "geqo"],
];
