/**
 * Opens PostgreSQL sessions on Deno, Bun and Node the way libpq does: settings, TLS, authentication, start-up.
 *
 * @example
 * ```ts
 * import { connect } from "pg-handshake";
 *
 * await using session = await connect("postgres://app@db.example/app?sslmode=verify-full&sslrootcert=system", {
 *   password: () => fetchToken(),
 *   signal: AbortSignal.timeout(5_000),
 * });
 * const [result] = await session.query("select 1 as one");
 * ```
 *
 * @module
 */

export { connect } from "./src/connect/connect.ts";
export { Connector, createConnector } from "./src/connect/connector.ts";
export type { ConnectorOptions } from "./src/connect/connector.ts";
export type { ConnectorStatistics, Pipelining } from "./src/connect/memory.ts";
export type { EndpointName, LearnedEndpoint } from "./src/connect/endpoints.ts";
export type {
  BearerTokenContext,
  BearerTokenSource,
  ConnectEvent,
  ConnectEventKind,
  ConnectOptions,
  FirstQuery,
  Notification,
  ParameterChange,
  PasswordContext,
  PasswordSource,
  Target,
  TargetObject,
} from "./src/connect/options.ts";
export { Session } from "./src/connect/session.ts";
export type { QueryOptions } from "./src/connect/session.ts";
export { DetachedSession } from "./src/connect/detached.ts";
export type { SessionFacts } from "./src/connect/detached.ts";
export { EventStream } from "./src/connect/event_stream.ts";
export { Subscription } from "./src/connect/subscription.ts";
export { RowStream } from "./src/connect/row_stream.ts";
export type { StreamedRow } from "./src/connect/row_stream.ts";
export { cancel } from "./src/connect/cancel.ts";
export type { CancelOptions } from "./src/connect/cancel.ts";
export { ConnectReport } from "./src/connect/report.ts";
export type { Savings } from "./src/connect/report.ts";
export { ping } from "./src/connect/ping.ts";
export type { PingStatus } from "./src/connect/ping.ts";
export type { QueryResult, RowValues } from "./src/connect/simple_query.ts";
export {
  ConfigError,
  ConnectionError,
  MessageFormatError,
  PgHandshakeError,
  PolicyError,
  ProtocolError,
  UsageError,
} from "./src/errors.ts";
export { ConnectError } from "./src/connect/connect_error.ts";
export type {
  AttemptReport,
  ConnectionCode,
  Encryption,
  ErrorCode,
  ErrorDetails,
  Phase,
  PolicyCode,
} from "./src/errors.ts";
export { ServerError } from "./src/handshake/server_error.ts";
export { CancelKey } from "./src/handshake/cancel_key.ts";
export type { ServerVersion } from "./src/handshake/server_version.ts";
export { parseConnectionString } from "./src/settings/parse.ts";
export { formatConnectionString } from "./src/settings/format_connection_string.ts";
export { escapeOption } from "./src/settings/run_time_parameters.ts";
export { redact } from "./src/settings/parameters.ts";
export { resolveSettings } from "./src/settings/resolve.ts";
export type { Settings, SettingsContext } from "./src/settings/resolve.ts";
export type { ConnectionParameters } from "./src/settings/parse.ts";
export type {
  GssContext,
  GssContextRequest,
  GssCredentials,
  GssCredentialsRequest,
  GssProvider,
  GssStep,
} from "./src/gss/provider.ts";
export type {
  ChannelFacts,
  GssFacts,
  TlsFacts,
  TlsVersion,
  Verification,
} from "./src/auth/channel.ts";
export type { LegacyAuth } from "./src/auth/legacy.ts";
export { Secret } from "./src/settings/secret.ts";
export type { Admission } from "./src/auth/gate.ts";
export type { ColumnDescription } from "./src/wire/query.ts";
export type { NoticeFields } from "./src/wire/notice.ts";
export type {
  Abilities,
  Adapter,
  Address,
  Endpoint,
  Feed,
  KeepAlive,
  Sink,
  SocketOptions,
  TlsIdentity,
  TlsRequest,
  Transport,
} from "./src/transport/transport.ts";
