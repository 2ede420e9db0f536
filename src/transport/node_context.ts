import type { ConnectionOptions, SecureContext, SecureContextOptions } from "node:tls";
import { tlsSetupFailure } from "./failures.ts";
import { plainKey } from "./node_key.ts";
import { curves } from "./requests.ts";
import { nodeProcess, ON_NODE } from "./runtime.ts";
import type { TlsRequest } from "./transport.ts";

/** How many policies are remembered; a process rarely has more than one. */
const MAX_CONTEXTS = 8;

/**
 * The rest of OpenSSL's default list (SSL_CTX_set1_groups_list); from 3.5 on with the post-quantum hybrid
 * (draft-ietf-tls-ecdhe-mlkem). Deno ignores it, Bun has a list of its own.
 */
const OTHER_CURVES: readonly string[] = [
  ...(hasHybrid(nodeProcess?.versions?.openssl) ? ["X25519MLKEM768"] : []),
  ...(ON_NODE ? ["X448"] : []),
  "P-384",
  "P-521",
];

/** What a context is made of. */
type Policy = Pick<
  TlsRequest,
  "roots" | "revocationLists" | "identity" | "minVersion" | "maxVersion" | "firstCurve"
>;

interface Known {
  readonly policy: Policy;
  readonly context: SecureContext;
}

/** The one used last is the last. */
const known: Known[] = [];

/**
 * The part of a request that is the same for every connection of a policy. On Node it is made once and kept: reading
 * roots and keys takes a quarter of a connection's processor time. What files held counts, not their names, so a file
 * that has changed makes a new one. The roots "system" are those of the first time.
 *
 * @throws {ConfigError} If roots, lists, the client certificate or its key cannot be used.
 */
export async function contextOf(
  request: TlsRequest,
  tls: typeof import("node:tls"),
): Promise<ConnectionOptions> {
  if (!ON_NODE) return await contextOptions(request);
  const at = known.findIndex(({ policy }) => isSame(policy, request));
  const found = known[at];
  if (found !== undefined) {
    known.splice(at, 1);
    known.push(found);
    return { secureContext: found.context };
  }
  const options = await contextOptions(request);
  let context: SecureContext;
  try {
    context = tls.createSecureContext(options);
  } catch (error) {
    throw tlsSetupFailure("sslrootcert", "cannot use what was given", error);
  }
  const { roots, revocationLists, identity, minVersion, maxVersion, firstCurve } = request;
  const policy = { roots, revocationLists, identity, minVersion, maxVersion, firstCurve };
  known.push({ policy, context });
  if (known.length > MAX_CONTEXTS) known.shift();
  return { secureContext: context };
}

async function contextOptions(request: Policy): Promise<SecureContextOptions> {
  const { roots, revocationLists, identity, minVersion, maxVersion, firstCurve } = request;
  const options: SecureContextOptions = { ecdhCurve: curves(firstCurve, OTHER_CURVES) };
  if (roots !== "system") options.ca = roots.pem;
  if (revocationLists !== undefined) options.crl = revocationLists;
  if (minVersion !== undefined) options.minVersion = minVersion;
  if (maxVersion !== undefined) options.maxVersion = maxVersion;
  if (identity !== undefined) {
    options.cert = identity.certificate;
    options.key = await plainKey(identity);
  }
  return options;
}

function hasHybrid(openssl: string | undefined): boolean {
  const [major = 0, minor = 0] = (openssl ?? "").split(".").map(Number);
  return ON_NODE && (major > 3 || (major === 3 && minor >= 5));
}

function isSame(known: Policy, asked: Policy): boolean {
  return pemOf(known.roots) === pemOf(asked.roots) &&
    known.revocationLists === asked.revocationLists &&
    known.identity?.certificate === asked.identity?.certificate &&
    known.identity?.key === asked.identity?.key &&
    known.identity?.passphrase === asked.identity?.passphrase &&
    known.minVersion === asked.minVersion && known.maxVersion === asked.maxVersion &&
    known.firstCurve === asked.firstCurve;
}

function pemOf(roots: TlsRequest["roots"]): string | undefined {
  return roots === "system" ? undefined : roots.pem;
}
