import type { IncomingMessage } from "node:http";
import { request as requestHttps } from "node:https";
import {
  BoundedBody,
  fetchClient,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  unreachable,
} from "./http.ts";

/**
 * Requests over the runtime's `node:https`, which all three runtimes have, and which trusts the given roots alone.
 *
 * @param ca PEM: one certificate or more.
 */
export function httpsClient(ca: string): HttpClient {
  // Plain http, which only the debug switch allows, has no roots.
  return async (request) =>
    request.url.startsWith("https:") ? await send(request, ca) : await fetchClient(request);
}

function send(request: HttpRequest, ca: string): Promise<HttpResponse> {
  const { url, method, signal, body } = request;
  const headers = body === undefined
    ? request.headers
    : { ...request.headers, "content-length": String(new TextEncoder().encode(body).length) };
  return new Promise((resolve, reject) => {
    const sent = requestHttps(url, {
      method,
      headers,
      ca,
      signal,
      agent: false,
      // Said aloud, as NODE_TLS_REJECT_UNAUTHORIZED decides where nobody does.
      rejectUnauthorized: true,
    });
    const fail = (cause: unknown): void => {
      reject(
        cause instanceof Error && cause.name === "PolicyError" ? cause : unreachable(url, cause),
      );
      sent.destroy();
    };
    sent.on("error", fail);
    sent.on("response", (response) => collect(response).then(resolve, fail));
    sent.end(body);
  });
}

async function collect(response: IncomingMessage): Promise<HttpResponse> {
  const body = new BoundedBody();
  for await (const chunk of response) body.push(chunk as Uint8Array);
  return {
    status: response.statusCode ?? 0,
    contentType: response.headers["content-type"] ?? "",
    body: body.octets(),
  };
}
