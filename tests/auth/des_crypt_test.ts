import "../support/guard.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { cryptPassword } from "../../src/auth/des_crypt.ts";
import { ProtocolError } from "../../src/errors.ts";
import { hex, readVectors, type VectorCase } from "../support/vectors.ts";

interface CryptCase extends VectorCase {
  /** The password's octets in hex. */
  readonly password: string;
  readonly salt: string;
  readonly answer: string;
}

const ascii = new TextDecoder("latin1");
const octets = (text: string): Uint8Array => new TextEncoder().encode(text);

for (const { name, source, password, salt, answer } of readVectors<CryptCase>("crypt")) {
  test(`cryptPassword(): ${name} (${source})`, () => {
    const given = hex(password);
    const before = given.slice();
    assert.equal(ascii.decode(cryptPassword(given, octets(salt))), answer);
    assert.deepEqual(given, before, "the password is left as it is");
  });
}

test("cryptPassword() looks at seven bits of the first eight octets", () => {
  const salt = octets("ab");
  const one = cryptPassword(octets("averylongpassword"), salt);
  assert.deepEqual(cryptPassword(octets("averylon"), salt), one);
  assert.deepEqual(cryptPassword(octets("averylon").map((octet) => octet | 0x80), salt), one);
  assert.notDeepEqual(cryptPassword(octets("averylo"), salt), one);
});

for (const salt of ["", "a", "abc", "a:", "a$", "\u00e9", "a\0"]) {
  test(`cryptPassword() refuses the salt ${JSON.stringify(salt)}`, () => {
    assert.throws(() => cryptPassword(octets("pencil"), octets(salt)), ProtocolError);
  });
}
