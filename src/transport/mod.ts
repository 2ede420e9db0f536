/**
 * The transport port: what this package asks of a socket, and an in-memory double of one for tests. The adapters are
 * entries of their own (`./deno`, `./bun`, `./node`), so that importing this loads no runtime module.
 *
 * @module
 */

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
} from "./transport.ts";
export type { TlsFacts, TlsVersion, Verification } from "../auth/channel.ts";
export { createMemoryPair, MemoryTransport } from "./memory.ts";
export type { MemoryStep } from "./memory.ts";
export type { MemoryOptions, MemoryTls } from "./memory_end.ts";
