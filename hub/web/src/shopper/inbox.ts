/** The inbox as this page knows it: what the hub told, in whatever order and however often it told it. */

const STATES = ["unseen", "seen", "read", "archived"] as const;

/** How far a person has come with an entry; each state includes the ones before it. */
export type EntryState = (typeof STATES)[number];

export interface Notification {
  readonly id: string;
  readonly event_type: string;
  readonly category: string;
  readonly title: string;
  readonly body: string;
  readonly created_ms: number;
  /** After this Unix time in ms it is no news any more. */
  readonly expires_ms?: number;
  /** A newer notification of the same key takes the place of an unseen one. */
  readonly collapse_key?: string;
  readonly data?: Readonly<Record<string, unknown>>;
}

export interface Entry extends Notification {
  readonly state: EntryState;
}

/** A publication on `inbox:<user>`. */
export type InboxMessage =
  | { readonly type: "notification"; readonly unread: number; readonly notification: Notification }
  | { readonly type: "seen" | "read" | "archived"; readonly unread: number; readonly ids: readonly string[] };

/** The answer to `inbox.list`. */
export interface InboxPage {
  readonly entries: readonly Entry[];
  readonly unread: number;
  readonly next_cursor?: string | null;
}

/** Several may be of one millisecond, so each keeps its place in the hub's order as well: a higher one is newer. */
type Placed = Entry & { readonly place: number };

/** Whether an entry counts as unread. */
export function isUnread({ state, expires_ms }: Entry, nowMs: number): boolean {
  return (state === "unseen" || state === "seen") && (expires_ms ?? Infinity) > nowMs;
}

export class Inbox {
  unread = 0;
  /** Where the next older page begins; null where there is none. */
  cursor: string | null = null;
  private readonly entries = new Map<string, Placed>();
  /** Goes up with each message, so that a page asked for earlier cannot set the clock of `unread` back. */
  private heard = 0;
  private highest = 0;
  private lowest = 0;

  /** Take a publication. Returns the entry where it is one that this page has not had before. */
  apply(message: InboxMessage): Entry | null {
    this.heard += 1;
    this.unread = message.unread;
    if (message.type === "notification") return this.arrive(message.notification);
    for (const id of message.ids) this.advance(id, message.type);
    return null;
  }

  /** Remember the moment before asking for a page; hand it to `addPage` with the answer. */
  asking(): number {
    return this.heard;
  }

  /** Take a page. `newest` says that it is the first one, so that what it has not is gone. */
  addPage(page: InboxPage, asked: number, newest: boolean): void {
    if (asked === this.heard) this.unread = page.unread;
    if (newest && asked === this.heard) this.entries.clear();
    for (const entry of page.entries) {
      if (this.entries.has(entry.id)) this.advance(entry.id, entry.state);
      else this.entries.set(entry.id, { ...entry, place: --this.lowest });
    }
    this.cursor = page.next_cursor ?? null;
  }

  /** Note what the person did before the hub confirms it, so that the page answers at once. */
  advance(id: string, state: EntryState): void {
    const entry = this.entries.get(id);
    if (entry !== undefined && STATES.indexOf(state) > STATES.indexOf(entry.state)) {
      this.entries.set(id, { ...entry, state });
    }
  }

  get(id: string): Entry | undefined {
    return this.entries.get(id);
  }

  /** Everything not archived, newest first. */
  listed(): readonly Entry[] {
    return [...this.entries.values()]
      .filter(({ state }) => state !== "archived")
      .sort((a, b) => b.created_ms - a.created_ms || b.place - a.place);
  }

  private arrive(notification: Notification): Entry | null {
    if (this.entries.has(notification.id)) return null;
    const key = notification.collapse_key;
    for (const { id, collapse_key, state } of this.entries.values()) {
      if (key !== undefined && collapse_key === key && state === "unseen") this.entries.delete(id);
    }
    const entry: Placed = { ...notification, state: "unseen", place: ++this.highest };
    this.entries.set(entry.id, entry);
    return entry;
  }
}
