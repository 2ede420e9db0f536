/** The certificates of `tests/fixtures/certificates`; its README says what each is for. */
import { readFileSync } from "node:fs";
import { Buffer } from "node:buffer";
import { fileURLToPath } from "node:url";

/** The path of a file there, as in `certificatePath("server.crt")`. */
export function certificatePath(file: string): string {
  return fileURLToPath(new URL(`../fixtures/certificates/${file}`, import.meta.url));
}

/** The PEM text of a file there. */
export function certificateText(file: string): string {
  return readFileSync(certificatePath(file), "utf8");
}

/** The DER octets of the first certificate in a file there, which is the leaf. */
export function certificateDer(file: string): Uint8Array {
  const base64 = /-----BEGIN CERTIFICATE-----([^-]+)-----END/.exec(certificateText(file))?.[1];
  if (base64 === undefined) throw new Error(`Cannot read "${file}": it holds no certificate`);
  return new Uint8Array(Buffer.from(base64, "base64"));
}
