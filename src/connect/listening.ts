import type { Announcements } from "./announcements.ts";
import { quoteChannel, Subscription } from "./subscription.ts";

/** What listening needs of its session. */
export interface ListeningHooks {
  readonly announcements: Announcements;
  /** There is room for more notifications. */
  wake(): void;
  /** Runs a statement. */
  run(statement: string): Promise<unknown>;
  /** Whether the session can still be told anything. */
  isOpen(): boolean;
}

/** The channels a session listens to, each as long as somebody wants it. */
export class Listening {
  readonly #hooks: ListeningHooks;
  /** How many subscriptions each channel has. */
  readonly #counts = new Map<string, number>();

  /** @param hooks What it needs of its session. */
  constructor(hooks: ListeningHooks) {
    this.#hooks = hooks;
  }

  /**
   * Subscribes to a channel.
   *
   * @throws {UsageError} If no channel has such a name.
   * @throws {ServerError} If the server refuses.
   */
  async subscribe(channel: string): Promise<Subscription> {
    const quoted = quoteChannel(channel);
    const subscription = new Subscription(channel, {
      onRoom: () => this.#hooks.wake(),
      leave: (left) => this.#leave(left, quoted),
    });
    this.#hooks.announcements.add(subscription);
    this.#counts.set(channel, (this.#counts.get(channel) ?? 0) + 1);
    try {
      await this.#hooks.run(`LISTEN ${quoted}`);
      return subscription;
    } catch (error) {
      this.#forget(subscription);
      throw error;
    }
  }

  async #leave(subscription: Subscription, quoted: string): Promise<void> {
    const others = this.#forget(subscription);
    if (others === 0 && this.#hooks.isOpen()) await this.#hooks.run(`UNLISTEN ${quoted}`);
  }

  /** Drops a subscription; returns how many others listen to its channel. */
  #forget(subscription: Subscription): number {
    const { channel } = subscription;
    this.#hooks.announcements.remove(subscription);
    const others = (this.#counts.get(channel) ?? 1) - 1;
    if (others === 0) this.#counts.delete(channel);
    else this.#counts.set(channel, others);
    return others;
  }
}
