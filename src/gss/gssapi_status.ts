import { printable } from "../printable.ts";
import { ERROR_MASK, STATUS_KIND } from "./gssapi_abi.ts";
import type { GssapiMemory } from "./gssapi_memory.ts";

/** How `gss_display_status` is called: on the thread of the failed call, as the words for it are kept by thread. */
export type CallStatus = (args: readonly bigint[]) => Promise<number> | number;

const MAX_PARTS = 8;
const MAX_SHOWN = 500;
/** "Unspecified GSS failure. Minor code may provide more information": says nothing where there is a minor code. */
const GSS_S_FAILURE = 0x000d_0000;

/**
 * Kerberos' own words for what failed: of the major status, then of the minor one, as libpq shows them.
 *
 * @param major What the call returned.
 * @param memory Its memory, where the minor status still is.
 */
export async function statusText(
  major: number,
  memory: GssapiMemory,
  call: CallStatus,
): Promise<string> {
  const { minor } = memory;
  const texts = [
    ...(major === GSS_S_FAILURE && minor !== 0
      ? []
      : await textsOf(major, STATUS_KIND.major, memory, call)),
    ...(minor === 0 ? [] : await textsOf(minor, STATUS_KIND.minor, memory, call)),
  ];
  const text = texts.filter((one) => one !== "").join(": ");
  return text === "" ? `status 0x${(major >>> 0).toString(16).padStart(8, "0")}` : text;
}

async function textsOf(
  status: number,
  kind: number,
  memory: GssapiMemory,
  call: CallStatus,
): Promise<readonly string[]> {
  const texts: string[] = [];
  memory.clearNumber();
  for (let part = 0; part < MAX_PARTS; part++) {
    memory.clearResults();
    const major = await call([
      memory.minorAt,
      BigInt(status >>> 0),
      BigInt(kind),
      kind === STATUS_KIND.minor ? memory.mechanismAt : 0n,
      memory.numberAt,
      memory.outputAt,
    ]);
    if ((major & ERROR_MASK) !== 0) break;
    const text = new TextDecoder().decode(memory.takeOutput()).trim();
    texts.push(printable(text, { keepLines: false, max: MAX_SHOWN }));
    if (memory.number === 0) break;
  }
  return texts;
}
