/**
 * libpq's connection parameters: reads connection strings, service files and password files, judges the values and
 * gives them types. Pure: what the machine contributes is asked for by requests that the caller answers.
 *
 * @example
 * ```ts
 * import { parseConnectionString, resolveSettings } from "pg-handshake/settings";
 *
 * const parameters = parseConnectionString("postgres://app@db.example/shop?sslmode=verify-full");
 * const settings = resolveSettings(parameters, { user: "me", host: "/run/postgresql" });
 * settings.hosts; // [{ host: "db.example", hostaddr: undefined, port: 5432, kind: "tcp" }]
 * ```
 *
 * @module
 */

export { parseConnectionString } from "./parse.ts";
export { formatConnectionString } from "./format_connection_string.ts";
export type { FormatOptions } from "./format_connection_string.ts";
export { isConnectionString, parametersOf } from "./object_parameters.ts";
export type { ParameterObject } from "./object_parameters.ts";
export { redact } from "./parameters.ts";
export type { ConnectionParameters } from "./parameters.ts";
export { isKeyword } from "./keywords.ts";
export type { Keyword } from "./keywords.ts";
export { ENVIRONMENT_ONLY, keywordInfo, KEYWORDS } from "./keyword_reference.ts";
export type { EnvironmentVariable, KeywordInfo, KeywordKind } from "./keyword_reference.ts";
export { nearestKeyword } from "./unknown_keyword.ts";
export { gatherParameters } from "./gather.ts";
export type { GatheredParameters } from "./gather.ts";
export type { HostAnswer, HostRequest } from "./host_request.ts";
export { originText } from "./origin.ts";
export type { Origin, Origins } from "./origin.ts";
export { readServiceFile } from "./service_file.ts";
export type { ServiceEntry } from "./service_file.ts";
export {
  defaultPasswordFile,
  findPassword,
  passwordFileKey,
  passwordFileProblem,
} from "./password_file.ts";
export type { PasswordFileFacts, PasswordFileKey } from "./password_file.ts";
export { resolveSettings } from "./resolve.ts";
export type {
  ChannelBindingMode,
  Settings,
  SettingsContext,
  TargetSessionAttrs,
} from "./resolve.ts";
export type { FurtherStartup } from "./startup_parameters.ts";
export { escapeOption } from "./run_time_parameters.ts";
export { socketPath } from "./hosts.ts";
export type { HostEntry } from "./hosts.ts";
export type { SslCertMode, SslMode, TlsSettings, TlsVersionName } from "./tls_settings.ts";
export type { SocketSettings } from "./socket_settings.ts";
export type { GssSettings } from "./gss_settings.ts";
export type { OAuthSettings } from "./oauth_settings.ts";
export { parseRequireAuth } from "./require_auth.ts";
export type { AuthMethodName, RequireAuth } from "./require_auth.ts";
export { Secret } from "./secret.ts";
