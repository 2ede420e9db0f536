/**
 * Logging in by OAuth: the device flow of RFC 8628 as a source of bearer tokens for `connect()`. Everybody else's tokens
 * need nothing of this: the option `bearerToken` takes a text or any callback.
 *
 * @module
 */

export { deviceFlow } from "./provider.ts";
export type { DeviceFlow, DeviceFlowOptions } from "./provider.ts";
export type { DevicePrompt } from "./device_flow.ts";
export type { BearerTokenContext } from "../connect/options.ts";
export { Secret } from "../settings/secret.ts";
