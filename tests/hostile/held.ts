/** How much every deframer of this process holds: the memory a peer can make us use before a message is judged. */
import { Deframer } from "../../src/wire/deframer.ts";

/** What was held since `watchHeld()` was called. */
export interface HeldWatch {
  /** The most octets one deframer has ever held. */
  readonly most: number;
  /** How many octets all of them were given, to know that they are watched at all. */
  readonly pushed: number;
  /** Ends the watch. */
  stop(): void;
}

/** Watches every deframer, those of machines and sessions among them; one watch at a time. */
export function watchHeld(): HeldWatch {
  let most = 0;
  let pushed = 0;
  let depth = 0;
  const originals = (["push", "adopt"] as const).map((name) => {
    const original = Object.getOwnPropertyDescriptor(Deframer.prototype, name);
    const add = original?.value as (this: Deframer, octets: Uint8Array) => void;
    Object.defineProperty(Deframer.prototype, name, {
      ...original,
      value(this: Deframer, octets: Uint8Array): void {
        depth += 1;
        try {
          add.call(this, octets);
        } finally {
          depth -= 1;
        }
        // One may use the other.
        if (depth === 0) pushed += octets.length;
        most = Math.max(most, this.held);
      },
    });
    return { name, original };
  });
  return {
    get most() {
      return most;
    },
    get pushed() {
      return pushed;
    },
    stop() {
      for (const { name, original } of originals) {
        Object.defineProperty(Deframer.prototype, name, { ...original });
      }
    },
  };
}

/** Type octet and length word of a message. */
export function header(type: number, length: number): Uint8Array {
  const octets = new Uint8Array(5);
  octets[0] = type;
  new DataView(octets.buffer).setUint32(1, length);
  return octets;
}
