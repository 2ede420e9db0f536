/**
 * libpq's connection parameters: reads connection strings, judges the values and gives them types. Pure: the caller
 * brings what the machine contributes, such as the account's name.
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
export { redact } from "./parameters.ts";
export type { ConnectionParameters } from "./parameters.ts";
export { isKeyword, keywordInfo, KEYWORDS, nearestKeyword } from "./keywords.ts";
export type { Keyword, KeywordInfo, KeywordKind } from "./keywords.ts";
export { resolveSettings } from "./resolve.ts";
export type { ChannelBindingMode, Settings, SettingsDefaults } from "./resolve.ts";
export { socketPath } from "./hosts.ts";
export type { HostEntry } from "./hosts.ts";
export type { SslMode, TlsSettings, TlsVersionName } from "./tls_settings.ts";
export { parseRequireAuth } from "./require_auth.ts";
export type { AuthMethodName, RequireAuth } from "./require_auth.ts";
export { Secret } from "./secret.ts";
