import type { BackendMessage } from "../wire/backend.ts";
import type { NoticeFields } from "../wire/notice.ts";
import { takeAsynchronous } from "./asynchronous.ts";
import type { Listeners } from "./conversation.ts";
import { EventStream } from "./event_stream.ts";
import type { ConnectOptions, Notification, ParameterChange } from "./options.ts";
import type { SessionParameters } from "./session_parameters.ts";

/** What an event takes besides its texts, roughly. */
const EVENT_WEIGHT = 64;

type Callbacks = Pick<ConnectOptions, "onNotice" | "onNotification" | "onParameter">;

type Streams<T> = Set<EventStream<T>>;

/** Everybody who wants to know what a server says of its own accord: callbacks first, then iterators. */
export class Announcements implements Listeners {
  readonly #parameters: SessionParameters;
  readonly #options: Callbacks;
  /** Made with the first listener; most sessions have none. */
  #notices: Streams<NoticeFields> | undefined;
  #notifications: Streams<Notification> | undefined;
  #changes: Streams<ParameterChange> | undefined;

  /**
   * @param parameters The session's run-time parameters; a change is entered here.
   * @param options The callbacks.
   */
  constructor(parameters: SessionParameters, options: Callbacks) {
    this.#parameters = parameters;
    this.#options = options;
  }

  /** Takes messages that may come at any time, and says whether it took one. */
  takes(message: BackendMessage): boolean {
    return takeAsynchronous(message, this.#parameters, this);
  }

  onNotice(notice: NoticeFields): void {
    this.#options.onNotice?.(notice);
    push(this.#notices, notice, lengthOf(Object.values(notice)));
  }

  onNotification(notification: Notification): void {
    this.#options.onNotification?.(notification);
    const { channel, payload } = notification;
    push(this.#notifications, notification, lengthOf([channel, payload]));
  }

  onParameter(name: string, value: string): void {
    this.#options.onParameter?.(name, value);
    push(this.#changes, { name, value }, lengthOf([name, value]));
  }

  /** Whether one of them should take what it has before more is read. */
  isFull(): boolean {
    return someFull(this.#notifications) || someFull(this.#notices) || someFull(this.#changes);
  }

  /**
   * Notices from now on.
   *
   * @param onRoom Called when some were taken.
   */
  notices(onRoom: () => void): EventStream<NoticeFields> {
    return open("notices", this.#notices ??= new Set(), onRoom);
  }

  /** Notifications of all channels from now on, in the same way. */
  notifications(onRoom: () => void): EventStream<Notification> {
    return open("notifications", this.#notifications ??= new Set(), onRoom);
  }

  /** Reported parameters from now on, in the same way. */
  parameterChanges(onRoom: () => void): EventStream<ParameterChange> {
    return open("parameter changes", this.#changes ??= new Set(), onRoom);
  }

  /** Adds a stream of notifications that was made elsewhere. */
  add(stream: EventStream<Notification>): void {
    (this.#notifications ??= new Set()).add(stream);
  }

  /** Removes it again. */
  remove(stream: EventStream<Notification>): void {
    this.#notifications?.delete(stream);
  }

  /** Ends all iterations: with the reason why nothing will come any more, or well. */
  end(error?: unknown): void {
    for (const streams of [this.#notices, this.#notifications, this.#changes]) {
      for (const stream of streams ?? []) stream.end(error);
      streams?.clear();
    }
  }
}

function open<T>(what: string, streams: Streams<T>, onRoom: () => void): EventStream<T> {
  const stream: EventStream<T> = new EventStream<T>({
    what,
    onRoom,
    onClose: () => {
      streams.delete(stream);
    },
  });
  streams.add(stream);
  return stream;
}

function push<T>(streams: Streams<T> | undefined, value: T, length: number): void {
  for (const stream of streams ?? []) stream.push(value, length + EVENT_WEIGHT);
}

function someFull<T>(streams: Streams<T> | undefined): boolean {
  for (const stream of streams ?? []) {
    if (stream.full) return true;
  }
  return false;
}

function lengthOf(texts: readonly string[]): number {
  return texts.reduce((sum, text) => sum + text.length, 0);
}
