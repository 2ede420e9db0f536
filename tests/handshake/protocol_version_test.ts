import "../support/guard.ts";
import { test } from "node:test";
import assert from "node:assert/strict";
import { ProtocolError } from "../../src/errors.ts";
import { judgeProtocolVersion } from "../../src/handshake/protocol_version.ts";
import { readVectors, type VectorCase } from "../support/vectors.ts";
import { version } from "./vector_case.ts";

interface NegotiationCase extends VectorCase {
  readonly requested: string;
  readonly least: string;
  readonly version: string;
  readonly unrecognized: readonly string[];
  /** The version from then on, if the answer is acceptable. */
  readonly inForce?: string;
  readonly includes?: readonly string[];
}

function judge(one: NegotiationCase): number {
  return judgeProtocolVersion(
    {
      type: "NegotiateProtocolVersion",
      version: version(one.version),
      unrecognized: one.unrecognized,
    },
    { requested: version(one.requested), least: version(one.least) },
  );
}

/** What can be done about it: settings that lead out of it, if any do. */
function adviceOn({ includes = [], requested }: NegotiationCase): string {
  if (includes.some((text) => text.includes("min_protocol_version"))) {
    return "Lower min_protocol_version";
  }
  return requested === "3.0" ? "does not keep to the protocol" : "max_protocol_version=3.0";
}

for (const one of readVectors<NegotiationCase>("handshake_protocol_version")) {
  const { inForce } = one;
  if (inForce !== undefined) {
    test(`NegotiateProtocolVersion is taken: ${one.name}`, () => {
      assert.equal(judge(one), version(inForce));
    });
  } else {
    test(`NegotiateProtocolVersion is refused: ${one.name}`, () => {
      assert.throws(() => judge(one), (error: unknown) => {
        assert.ok(error instanceof ProtocolError);
        assert.equal(error.code, "protocol-version");
        assert.equal(error.phase, "start-up");
        assert.equal(error.sqlState, "08P01");
        for (const text of one.includes ?? []) {
          assert.ok(error.message.includes(text), error.message);
        }
        assert.ok(error.message.includes(adviceOn(one)), error.message);
        return true;
      });
    });
  }
}

test("a foreign name is not shown: whatever it holds, it is the server's text", () => {
  assert.throws(
    () =>
      judge({
        name: "-",
        source: "-",
        requested: "3.2",
        least: "3.0",
        version: "3.0",
        unrecognized: ["\u001b[2Jevil"],
      }),
    (error: unknown) => error instanceof ProtocolError && !error.message.includes("evil"),
  );
});
