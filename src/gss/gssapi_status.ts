import { printable } from "../printable.ts";
import { ERROR_MASK, STATUS_KIND } from "./gssapi_abi.ts";
import type { GssapiMemory } from "./gssapi_memory.ts";

const MAX_PARTS = 8;
const MAX_SHOWN = 500;
/** "Unspecified GSS failure. Minor code may provide more information": says nothing where there is a minor code. */
const GSS_S_FAILURE = 0x000d_0000;

/**
 * Kerberos' own words for what failed: of the major status, then of the minor one, as libpq shows them. Each yield is a
 * call of `gss_display_status`, to be made on the thread of the failed call, as the words are kept by thread.
 *
 * @param major What the call returned.
 * @param memory Its memory, where the minor status still is.
 */
export function* statusText(major: number, memory: GssapiMemory): StatusCalls {
  const { minor } = memory;
  const texts = [
    ...(major === GSS_S_FAILURE && minor !== 0
      ? []
      : yield* textsOf(major, STATUS_KIND.major, memory)),
    ...(minor === 0 ? [] : yield* textsOf(minor, STATUS_KIND.minor, memory)),
  ];
  const text = texts.filter((one) => one !== "").join(": ");
  return text === "" ? `status 0x${(major >>> 0).toString(16).padStart(8, "0")}` : text;
}

/** The text, after any number of calls, each by its arguments and answered with its status. */
export type StatusCalls = Generator<readonly bigint[], string, number>;

/** Makes the calls on this thread. */
export function toldNow(calls: StatusCalls, call: (args: readonly bigint[]) => number): string {
  let step = calls.next();
  while (!step.done) step = calls.next(call(step.value));
  return step.value;
}

/** Makes the calls elsewhere. */
export async function told(
  calls: StatusCalls,
  call: (args: readonly bigint[]) => Promise<number>,
): Promise<string> {
  let step = calls.next();
  while (!step.done) step = calls.next(await call(step.value));
  return step.value;
}

function* textsOf(
  status: number,
  kind: number,
  memory: GssapiMemory,
): Generator<readonly bigint[], readonly string[], number> {
  const texts: string[] = [];
  memory.clearNumber();
  for (let part = 0; part < MAX_PARTS; part++) {
    memory.clearResults();
    const major = yield [
      memory.minorAt,
      BigInt(status >>> 0),
      BigInt(kind),
      kind === STATUS_KIND.minor ? memory.mechanismAt : 0n,
      memory.numberAt,
      memory.outputAt,
    ];
    if ((major & ERROR_MASK) !== 0) break;
    const text = new TextDecoder().decode(memory.takeOutput()).trim();
    texts.push(printable(text, { keepLines: false, max: MAX_SHOWN }));
    if (memory.number === 0) break;
  }
  return texts;
}
