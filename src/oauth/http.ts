import { showText } from "../auth/display.ts";
import { ConfigError, PolicyError } from "../errors.ts";

/** One request to an issuer. */
export interface HttpRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A form; absent for GET. */
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** What the issuer answered, whatever the status; redirections are not followed. */
export interface HttpResponse {
  readonly status: number;
  readonly contentType: string;
  readonly body: Uint8Array;
}

/**
 * Sends a request to an issuer.
 *
 * @throws {PolicyError} `token-unavailable` if it cannot be reached or its answer is too long.
 */
export type HttpClient = (request: HttpRequest) => Promise<HttpResponse>;

/** libpq 18, MAX_OAUTH_RESPONSE_SIZE. */
export const MAX_RESPONSE_OCTETS: number = 256 * 1024;

/** Collects an answer, chunk by chunk, up to the bound. */
export class BoundedBody {
  readonly #chunks: Uint8Array[] = [];
  #octets = 0;

  /** @throws {PolicyError} `token-unavailable` above the bound. */
  push(chunk: Uint8Array): void {
    this.#octets += chunk.length;
    if (this.#octets > MAX_RESPONSE_OCTETS) {
      throw new PolicyError(
        "token-unavailable",
        `Cannot get a bearer token: the issuer's answer has more than ${MAX_RESPONSE_OCTETS} octets`,
      );
    }
    this.#chunks.push(chunk);
  }

  /** All of it. */
  octets(): Uint8Array {
    const all = new Uint8Array(this.#octets);
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
}

/** The runtime's own fetch, which trusts what the runtime trusts. */
export const fetchClient: HttpClient = async ({ url, ...request }) => {
  let response: Response;
  try {
    response = await fetch(url, { ...request, redirect: "manual" });
  } catch (cause) {
    throw unreachable(url, cause);
  }
  const body = new BoundedBody();
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const read = await reader?.read();
      if (read?.value === undefined) break;
      body.push(read.value);
    }
  } catch (cause) {
    // What broke is told; that there is nothing left to give up is no news.
    await reader?.cancel().catch(() => {});
    throw cause instanceof PolicyError ? cause : unreachable(url, cause);
  }
  return {
    status: response.status,
    contentType: response.headers.get("content-type") ?? "",
    body: body.octets(),
  };
};

/** The error of an issuer that cannot be talked to. */
export function unreachable(url: string, cause: unknown): PolicyError {
  return new PolicyError(
    "token-unavailable",
    `Cannot reach the issuer of tokens at "${showText(url, 255)}"`,
    {
      cause,
      hint: hintFor(url, cause),
    },
  );
}

function hintFor(url: string, cause: unknown): string {
  const { name = "" } = cause instanceof Error ? cause : {};
  if (name === "NotCapable") return `Deno needs --allow-net=${new URL(url).host}`;
  return "Check the network, and whether its certificate is one this runtime trusts (caFile)";
}

/**
 * The client for one device flow.
 *
 * @param caFile Roots to trust and no others: PEM, or the path of a file; undefined trusts what the runtime trusts.
 * @throws {ConfigError} If the file cannot be read or holds no certificate.
 */
export async function httpClient(caFile: string | undefined): Promise<HttpClient> {
  if (caFile === undefined) return fetchClient;
  // fetch takes roots in another way on every runtime, and on Node in none.
  const { httpsClient } = await import("./node_https.ts");
  const ca = caFile.includes("-----BEGIN ") ? caFile : await readRoots(caFile);
  if (!ca.includes("-----BEGIN CERTIFICATE-----")) {
    throw new ConfigError(`Cannot use "${caFile}" as caFile: it holds no PEM certificate`);
  }
  return httpsClient(ca);
}

async function readRoots(path: string): Promise<string> {
  const { readFile } = await import("node:fs/promises");
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const denied = cause instanceof Error && cause.name === "NotCapable";
    throw new ConfigError(`Cannot read "${path}" of caFile`, {
      cause,
      ...(denied
        ? { code: "missing-permission" as const, hint: `Deno needs --allow-read=${path}` }
        : {}),
    });
  }
}
