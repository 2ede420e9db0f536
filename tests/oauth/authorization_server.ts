/** A small authorization server for tests: discovery, device authorization, tokens (RFC 8414, RFC 8628). */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { BearerTokenContext } from "../../src/connect/options.ts";
import { certificateText } from "../support/certificates.ts";
import { portOf } from "../support/loopback.ts";

/** What one endpoint answers. */
export interface Answer {
  /** 200 unless said. */
  readonly status?: number;
  /** "application/json" unless said. */
  readonly type?: string;
  /** An object is written as JSON. */
  readonly body: string | Readonly<Record<string, unknown>>;
}

/** What a server does; whatever is left out is as it should be. */
export interface Behaviour {
  readonly discovery?: (right: Readonly<Record<string, unknown>>) => Answer;
  readonly device?: (right: Readonly<Record<string, unknown>>) => Answer;
  /** The answers of the token endpoint, in turn; the last one again and again. A token unless said. */
  readonly tokens?: readonly Answer[];
}

/** One request that came. */
export interface Received {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly form: Readonly<Record<string, string>>;
}

/** A running server. */
export interface AuthorizationServer {
  /** "https://127.0.0.1:PORT" or the same with http. */
  readonly issuer: string;
  readonly discoveryUrl: string;
  readonly received: readonly Received[];
  close(): Promise<void>;
}

/** The token it gives. */
export const TOKEN = "ok";
/** The code only client and server know. */
export const DEVICE_CODE = "device-code-nobody-sees";

/** What `connect()` tells a provider about this server, once PostgreSQL has named it. */
export function contextOf(
  { issuer, discoveryUrl }: AuthorizationServer,
  changes: Partial<BearerTokenContext> = {},
): BearerTokenContext {
  return {
    host: "db.test",
    port: 5432,
    user: "u",
    database: "d",
    issuer,
    discoveryUrl,
    scope: undefined,
    requestedScope: undefined,
    clientId: "app",
    clientSecret: undefined,
    discovered: true,
    allowHttp: issuer.startsWith("http:"),
    signal: new AbortController().signal,
    ...changes,
  };
}

/** An error of RFC 6749 section 5.2. */
export function refusing(error: string, description?: string, status = 400): Answer {
  return {
    status,
    body: { error, ...(description === undefined ? {} : { error_description: description }) },
  };
}

/** The user has not logged in yet. */
export const PENDING: Answer = refusing("authorization_pending");
/** The user has. */
export const ISSUED: Answer = {
  body: { access_token: TOKEN, token_type: "Bearer", expires_in: 3600 },
};

/**
 * Starts one on 127.0.0.1, with the fixture "server" for https.
 *
 * @param behaviour What it does other than right.
 */
export async function startAuthorizationServer(
  scheme: "http" | "https",
  behaviour: Behaviour = {},
): Promise<AuthorizationServer> {
  const received: Received[] = [];
  const { tokens = [ISSUED] } = behaviour;
  let asked = 0;
  const same = (body: Readonly<Record<string, unknown>>): Answer => ({ body });
  const answerTo = (path: string): Answer => {
    switch (path) {
      case "/.well-known/openid-configuration":
        return (behaviour.discovery ?? same)({
          issuer,
          token_endpoint: `${issuer}/token`,
          device_authorization_endpoint: `${issuer}/device`,
          grant_types_supported: [],
        });
      case "/device":
        return (behaviour.device ?? same)({
          device_code: DEVICE_CODE,
          user_code: "ABCD-1234",
          verification_uri: `${issuer}/login`,
          expires_in: 600,
          interval: 1,
        });
      case "/token": {
        const answer = tokens[Math.min(asked, tokens.length - 1)];
        asked += 1;
        return answer ?? ISSUED;
      }
      default:
        return { status: 404, body: {} };
    }
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let body = "";
    for await (const chunk of request) body += String(chunk);
    const { method = "", url = "", headers } = request;
    const form = Object.fromEntries(new URLSearchParams(body));
    received.push({ method, path: url, authorization: headers.authorization, form });
    const answer = answerTo(url);
    response.writeHead(answer.status ?? 200, {
      "content-type": answer.type ?? "application/json",
      "connection": "close",
      ...(answer.status === 302 ? { location: "/elsewhere" } : {}),
    });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    // A client that has seen enough closes; there is nobody to tell then.
    serve(request, response).catch(() => response.destroy());
  };
  const server = scheme === "http" ? createServer(listener) : createHttpsServer({
    cert: certificateText("server.crt"),
    key: certificateText("server.key"),
  }, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const issuer = `${scheme}://127.0.0.1:${portOf(server)}`;
  return {
    issuer,
    discoveryUrl: `${issuer}/.well-known/openid-configuration`,
    received,
    close: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}
