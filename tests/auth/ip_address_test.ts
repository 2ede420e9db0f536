import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { parseIpAddress, showIpAddress } from "../../src/auth/ip_address.ts";
import { Prng } from "../support/prng.ts";
import { hex, toHex } from "../support/vectors.ts";

// RFC 4291 section 2.2, RFC 5952 section 2, and the edges between them.
const TAKEN: readonly (readonly [string, string])[] = [
  ["127.0.0.1", "7f000001"],
  ["0.0.0.0", "00000000"],
  ["255.255.255.255", "ffffffff"],
  ["::", "00*16"],
  ["::1", "00*15 01"],
  ["1::", "0001 00*14"],
  ["2001:DB8:0:0:8:800:200C:417A", "20010db80000000000080800200c417a"],
  ["2001:db8::8:800:200c:417a", "20010db80000000000080800200c417a"],
  ["FF01::101", "ff01 00*12 0101"],
  ["1:2:3:4:5:6:7:8", "00010002000300040005000600070008"],
  ["1:2:3:4:5:6:7::", "00010002000300040005000600070000"],
  ["::2:3:4:5:6:7:8", "00000002000300040005000600070008"],
  ["0001:0000::00ff", "0001 00*13 ff"],
  ["::13.1.68.3", "00*12 0d014403"],
  ["::FFFF:129.144.52.38", "00*10 ffff 81903426"],
  ["1:2:3:4:5:6:1.2.3.4", "00010002000300040005000601020304"],
  ["1::1.2.3.4", "0001 00*10 01020304"],
  ["1:2:3:4:5::1.2.3.4", "0001000200030004000500000102 0304"],
];

for (const [literal, octets] of TAKEN) {
  test(`parseIpAddress() reads "${literal}"`, () => {
    const parsed = parseIpAddress(literal);
    assert.equal(parsed === undefined ? undefined : toHex(parsed), toHex(hex(octets)));
  });
}

const REFUSED = [
  "",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "256.0.0.1",
  "01.2.3.4",
  "1.2.3.04",
  "0x7f.0.0.1",
  "1..2.3",
  "1.2.3.4.",
  " 1.2.3.4",
  "1.2.3.-4",
  "2130706433",
  "localhost",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "1:2:3:4::5:6:7:8",
  "::1::",
  ":::",
  ":1",
  "1:",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
  "12345::",
  "g::",
  "::1.2.3",
  "::1.2.3.256",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "1:2:3:4:5:6:7:1.2.3.4",
  "1:2:3:4:5:6::1.2.3.4",
  "fe80::1%eth0",
  "[::1]",
  "::1\0",
  "::\uff11",
  `${"1:".repeat(10_000)}1`,
];

for (const literal of REFUSED) {
  test(`parseIpAddress() refuses ${JSON.stringify(literal.slice(0, 40))}`, () => {
    assert.equal(parseIpAddress(literal), undefined);
  });
}

test("parseIpAddress() agrees with node:net about made-up addresses", () => {
  const pieces = ["0", "1", "ab", "FFFF", "10000", ":", "::", ".", "255", "256", "01", "1.2.3.4"];
  let literals = 0;
  for (let seed = 1; seed <= 3000; seed++) {
    const prng = new Prng(seed);
    let literal = "";
    for (let left = 1 + prng.below(16); left > 0; left--) {
      literal += prng.below(2) === 0 ? ":" : prng.pick(pieces);
    }
    const parsed = parseIpAddress(literal);
    assert.equal(parsed !== undefined, isIP(literal) !== 0, literal);
    if (parsed === undefined) continue;
    literals += 1;
    assert.deepEqual(parseIpAddress(showIpAddress(parsed) ?? ""), parsed, literal);
  }
  assert.ok(literals > 20, `only ${literals} were addresses`);
});

test("showIpAddress() writes 4 and 16 octets, and nothing else", () => {
  assert.equal(showIpAddress(hex("7f000001")), "127.0.0.1");
  assert.equal(showIpAddress(hex("20010db8 00*11 01")), "2001:db8:0:0:0:0:0:1");
  assert.equal(showIpAddress(hex("7f0000")), undefined);
});
