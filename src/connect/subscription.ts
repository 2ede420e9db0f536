import { UsageError } from "../errors.ts";
import { EventStream } from "./event_stream.ts";
import type { Notification } from "./options.ts";

/** NAMEDATALEN - 1: a longer name is cut by LISTEN, and notifications then carry another name. */
const MAX_CHANNEL_OCTETS = 63;

/**
 * Notifications of one channel, made by `session.listen()`. Iterating it waits for them; `break`, `unlisten()` and
 * `await using` end the listening.
 */
export class Subscription extends EventStream<Notification> implements AsyncDisposable {
  /** The channel, as `pg_notify()` takes it. */
  readonly channel: string;
  readonly #leave: (subscription: Subscription) => Promise<void>;
  #left: Promise<void> | undefined;

  /** Called by a session. */
  constructor(
    channel: string,
    hooks: {
      readonly onRoom: () => void;
      readonly leave: (subscription: Subscription) => Promise<void>;
    },
  ) {
    super({
      what: `notifications of channel "${channel}"`,
      onRoom: hooks.onRoom,
      onClose: () => {},
    });
    this.channel = channel;
    this.#leave = hooks.leave;
  }

  /** Adds a notification if it is of this channel. */
  override push(notification: Notification, weight: number): void {
    if (notification.channel === this.channel) super.push(notification, weight);
  }

  /**
   * Ends the listening; nothing more is delivered. Sends UNLISTEN unless another subscription of the session listens
   * to the same channel. May be called again.
   *
   * @throws {ServerError} If the server refuses, as in a failed transaction.
   */
  unlisten(): Promise<void> {
    this.#left ??= super.return().then(() => this.#leave(this));
    return this.#left;
  }

  /** The same as `unlisten()`, for `break`. */
  override async return(): Promise<IteratorResult<Notification>> {
    await this.unlisten();
    return { value: undefined, done: true };
  }

  /** The same as `unlisten()`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.unlisten();
  }
}

/**
 * A channel's name as SQL takes it, case and all.
 *
 * @throws {UsageError} If no channel has such a name.
 */
export function quoteChannel(channel: string): string {
  const octets = new TextEncoder().encode(channel).length;
  if (octets === 0 || octets > MAX_CHANNEL_OCTETS || channel.includes("\0")) {
    throw new UsageError(
      `Cannot listen to channel "${channel}": its name must have 1 to ${MAX_CHANNEL_OCTETS} octets, none of them zero`,
      { phase: "ready" },
    );
  }
  return `"${channel.replaceAll('"', '""')}"`;
}
