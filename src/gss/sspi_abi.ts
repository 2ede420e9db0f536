import type { Signatures } from "./foreign.ts";

/** SSPI as C programs call it: numbers and layouts of sspi.h for 64-bit Windows. */

/** Every function we call; all return SECURITY_STATUS. */
export const SSPI_SIGNATURES: Signatures = {
  AcquireCredentialsHandleW: [
    "address",
    "address",
    "u32",
    "address",
    "address",
    "address",
    "address",
    "address",
    "address",
  ],
  InitializeSecurityContextW: [
    "address",
    "address",
    "address",
    "u32",
    "u32",
    "u32",
    "address",
    "u32",
    "address",
    "address",
    "address",
    "address",
  ],
  DeleteSecurityContext: ["address"],
  FreeCredentialsHandle: ["address"],
  FreeContextBuffer: ["address"],
};

/** Where SSPI is. */
export const SSPI_LIBRARY = "secur32.dll";
/** SECPKG_CRED_OUTBOUND. */
export const OUTBOUND = 2;
/** SECBUFFER_TOKEN. */
export const TOKEN_BUFFER = 2;
/** SECURITY_NETWORK_DREP. */
export const NETWORK_ORDER = 0;
/** ISC_REQ_DELEGATE, ISC_REQ_MUTUAL_AUTH and ISC_REQ_ALLOCATE_MEMORY; ISC_RET has the same numbers. */
export const REQUEST = { delegate: 0x1, mutual: 0x2, allocateMemory: 0x100 } as const;
/** SEC_E_OK and SEC_I_CONTINUE_NEEDED. */
export const STATUS = { ok: 0, continueNeeded: 0x0009_0312 } as const;

/** The words for what goes wrong most often; Windows has the rest under their number. */
export const SSPI_TEXTS: Readonly<Record<number, string>> = {
  0x8009_0302: "SEC_E_UNSUPPORTED_FUNCTION",
  0x8009_0303: "SEC_E_TARGET_UNKNOWN: the service is not known to the domain",
  0x8009_0304: "SEC_E_INTERNAL_ERROR",
  0x8009_0308: "SEC_E_INVALID_TOKEN: the server's token cannot be used",
  0x8009_030c: "SEC_E_LOGON_DENIED",
  0x8009_030e: "SEC_E_NO_CREDENTIALS: this account has none",
  0x8009_0311: "SEC_E_NO_AUTHENTICATING_AUTHORITY: no domain controller answers",
  0x8009_0322: "SEC_E_WRONG_PRINCIPAL: the service runs under another account",
};
