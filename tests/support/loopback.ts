/** Servers of a test on loopback. */
import { createServer, type Server, type Socket } from "node:net";

/** A server that listens. */
export interface Listener {
  readonly port: number;
  /** Drops every connection and stops listening. */
  close(): Promise<void>;
}

/**
 * Listens on a free port of 127.0.0.1.
 *
 * @param handle Serves one connection, counted from 0. What it rejects with is thrown by `close`, so that no failure of
 *   a script is lost.
 */
export async function listenOnLoopback(
  handle: (socket: Socket, number: number) => Promise<void>,
): Promise<Listener> {
  const sockets = new Set<Socket>();
  const failures: unknown[] = [];
  let accepted = 0;
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    // The test looks at the client's side; a reset is one of the things it does.
    socket.on("error", () => socket.destroy());
    handle(socket, accepted++).catch((error: unknown) => {
      failures.push(error);
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  return {
    port: portOf(server),
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** The TCP port a server listens on. */
export function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("Cannot tell the port");
  return address.port;
}
