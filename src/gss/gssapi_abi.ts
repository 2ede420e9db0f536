import type { ForeignRuntime, Signatures } from "./foreign.ts";

/** GSSAPI as C programs call it (RFC 2744), for 64-bit systems: numbers and layouts of gssapi/gssapi.h of MIT Kerberos. */

/** Every function we call. Arguments are pointers, handles and sizes by address, and numbers of 32 bits. */
export const GSSAPI_SIGNATURES: Signatures = {
  gss_acquire_cred: [
    "address",
    "address",
    "u32",
    "address",
    "u32",
    "address",
    "address",
    "address",
  ],
  gss_release_cred: ["address", "address"],
  gss_import_name: ["address", "address", "address", "address"],
  gss_release_name: ["address", "address"],
  gss_init_sec_context: [
    "address",
    "address",
    "address",
    "address",
    "address",
    "u32",
    "u32",
    "address",
    "address",
    "address",
    "address",
    "address",
    "address",
  ],
  gss_delete_sec_context: ["address", "address", "address"],
  gss_wrap_size_limit: ["address", "address", "u32", "u32", "u32", "address"],
  gss_wrap: ["address", "address", "u32", "u32", "address", "address", "address"],
  gss_unwrap: ["address", "address", "address", "address", "address", "address"],
  gss_display_status: ["address", "u32", "u32", "address", "address", "address"],
  gss_release_buffer: ["address", "address"],
};

/** What a context is asked for, and reports to have (RFC 2744 section 5.19). */
export const FLAG = {
  delegate: 1,
  mutual: 2,
  replay: 4,
  sequence: 8,
  confidential: 16,
  integrity: 32,
} as const;

/** The upper half of a major status tells errors, the lower says more (RFC 2744 section 3.9.1). */
export const ERROR_MASK = 0xffff_0000;
/** GSS_S_CONTINUE_NEEDED: a token of the peer is wanted. */
export const CONTINUE_NEEDED = 1;
/** GSS_C_GSS_CODE and GSS_C_MECH_CODE: which kind of status is to be put into words. */
export const STATUS_KIND = { major: 1, minor: 2 } as const;
/** GSS_C_INITIATE. */
export const INITIATE = 1;

/** Object identifiers as DER has them, without tag and length. */
export const OID: Readonly<Record<"hostBasedService" | "kerberos" | "negotiate", Uint8Array>> = {
  /** 1.2.840.113554.1.2.1.4: a name of the form service@host. */
  hostBasedService: Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x01, 0x04),
  /** 1.2.840.113554.1.2.2: Kerberos 5. */
  kerberos: Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02),
  /** 1.3.6.1.5.5.2: SPNEGO. */
  negotiate: Uint8Array.of(0x2b, 0x06, 0x01, 0x05, 0x05, 0x02),
};

/**
 * Where the pointer of a gss_OID_desc stands, behind its length of 32 bits: MIT's header packs structures to two octets
 * on Macs with Intel processors.
 */
export function oidPointerOffset(runtime: Pick<ForeignRuntime, "platform" | "isX64">): 4 | 8 {
  return runtime.platform === "darwin" && runtime.isX64 ? 4 : 8;
}

/** Where the library usually is: MIT Kerberos, then what macOS brings in its place. */
export const GSSAPI_LIBRARIES: Readonly<Record<ForeignRuntime["platform"], readonly string[]>> = {
  linux: ["libgssapi_krb5.so.2", "libgssapi_krb5.so"],
  darwin: [
    "/opt/homebrew/opt/krb5/lib/libgssapi_krb5.dylib",
    "/usr/local/opt/krb5/lib/libgssapi_krb5.dylib",
    "/opt/local/lib/libgssapi_krb5.dylib",
    "/usr/lib/libgssapi_krb5.dylib",
  ],
  windows: ["gssapi64.dll"],
};
