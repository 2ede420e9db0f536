import "../support/guard.ts";
import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import { isIpLiteral } from "../../src/settings/ip_literal.ts";

const LITERALS: readonly string[] = [
  "0.0.0.0",
  "127.0.0.1",
  "255.255.255.255",
  "1.20.199.249",
  "::",
  "::1",
  "1::",
  "2001:db8::1",
  "2001:DB8:0:0:8:800:200c:417a",
  "1:2:3:4:5:6:7:8",
  "1:2:3:4:5:6:7::",
  "::2:3:4:5:6:7:8",
  "1:2::5:6:7:8",
  "::ffff:192.0.2.1",
  "64:ff9b::192.0.2.1",
  "1:2:3:4:5:6:192.0.2.1",
  "fe80::1%eth0",
  "fe80::1%1",
  "::1%lo",
];

const OTHERS: readonly string[] = [
  "",
  "localhost",
  "db.example",
  "1",
  "1.2.3",
  "1.2.3.4.5",
  "1.2.3.256",
  "01.2.3.4",
  "1.2.3.04",
  "0x7f.0.0.1",
  "1.2.3.4 ",
  " 1.2.3.4",
  "1.2.3.4\n",
  "1.2.3.-4",
  "1.2.3.",
  ".1.2.3",
  "1.2.3.4%eth0",
  ":",
  ":::",
  "::1::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "1:2:3:4::5:6:7:8",
  "12345::",
  "g::",
  "::1.2.3",
  "1.2.3.4::",
  "1.2.3.4:5::",
  "1:2:3:4:5:6:7:1.2.3.4",
  "[::1]",
  "::1%",
  "::1%a%b",
  "::1% eth0",
  "::1 ",
  ":1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:",
];

for (const text of LITERALS) {
  test(`isIpLiteral() takes "${text}"`, () => assert.equal(isIpLiteral(text), true));
}

for (const text of OTHERS) {
  test(`isIpLiteral() does not take ${JSON.stringify(text)}`, () =>
    assert.equal(isIpLiteral(text), false));
}

test("isIpLiteral() agrees with the runtime on every address made of few parts", () => {
  const parts = ["", "1", "ffff", "1.2.3.4", ":"];
  const count = parts.length ** 5;
  for (let number = 0; number < count; number++) {
    const pieces: string[] = [];
    for (let left = number, digit = 0; digit < 5; digit++, left = Math.floor(left / parts.length)) {
      pieces.push(parts[left % parts.length] ?? "");
    }
    const text = pieces.join(":");
    assert.equal(isIpLiteral(text), isIP(text) !== 0, text);
  }
});
