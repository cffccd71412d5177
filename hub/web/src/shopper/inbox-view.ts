/** The list of notifications: shows entries, and tells what the person has seen, read and archived. */

import { arrange, byId, el, icon, setHidden } from "../shared/dom";
import { type Reader, ago, clock } from "../shared/format";
import { type Entry, type Inbox, isUnread } from "./inbox";
import type { Words } from "./words";

export interface InboxActions {
  seen(ids: readonly string[]): void;
  open(entry: Entry): void;
  archive(entry: Entry): void;
  readAll(): void;
  older(): void;
}

/** Entries shown together are told together. */
const SEEN_BATCH_MS = 300;
const AGES_EVERY_MS = 30_000;
const SHOWN_RATIO = 0.6;
/** On a phone the orders are below the list, so it begins short. */
const SHORT = 5;
const LONG = 20;
const NARROW = "(max-width: 860px)";

export class InboxView {
  private readonly list = byId("inbox-list");
  private readonly empty = byId("inbox-empty");
  private readonly note = byId("inbox-note");
  private readonly readAll = byId<HTMLButtonElement>("read-all");
  private readonly older = byId<HTMLButtonElement>("older");
  private readonly items = new Map<string, HTMLLIElement>();
  private readonly onScreen = new Set<string>();
  private readonly eyes: IntersectionObserver;
  private readonly leaving = new AbortController();
  private limit = matchMedia(NARROW).matches ? SHORT : LONG;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly inbox: Inbox,
    private readonly words: Words,
    private readonly reader: Reader,
    private readonly actions: InboxActions,
  ) {
    const { signal } = this.leaving;
    this.eyes = new IntersectionObserver((changes) => this.look(changes), { threshold: SHOWN_RATIO });
    this.readAll.addEventListener("click", () => actions.readAll(), { signal });
    this.older.addEventListener("click", () => this.showOlder(), { signal });
    document.addEventListener("visibilitychange", () => this.tellSeenSoon(), { signal });
    const ages = setInterval(() => this.show(), AGES_EVERY_MS);
    signal.addEventListener("abort", () => clearInterval(ages));
  }

  /** Bring the page in line with the inbox. `arrived` is the entry that has just come and may ring. */
  show(arrived: Entry | null = null): void {
    const all = this.inbox.listed();
    const entries = all.slice(0, this.limit);
    arrange(
      this.list,
      entries.map((entry) => this.item(entry)),
    );
    if (arrived !== null) this.items.get(arrived.id)?.classList.add("arriving");
    this.forgetItems(entries);
    this.note.hidden = true;
    this.empty.hidden = all.length > 0;
    setHidden(this.readAll, this.inbox.unread === 0, () => byId("inbox-title"));
    const whole = this.inbox.cursor === null && all.length <= this.limit;
    setHidden(this.older, whole, () => this.list.lastElementChild?.querySelector("button"));
    this.tellSeenSoon();
  }

  /** Say something instead of the list: that it is loading, or why it is not there. */
  say(text: string): void {
    this.note.textContent = text;
    this.note.hidden = false;
    this.empty.hidden = true;
  }

  close(): void {
    this.leaving.abort();
    this.eyes.disconnect();
    clearTimeout(this.timer);
    this.list.replaceChildren();
  }

  private showOlder(): void {
    this.limit += LONG;
    const lacking = this.inbox.listed().length < this.limit && this.inbox.cursor !== null;
    if (lacking) this.actions.older();
    this.show();
  }

  private item(entry: Entry): HTMLLIElement {
    const item = this.items.get(entry.id) ?? this.make(entry);
    const unread = isUnread(entry, Date.now());
    item.classList.toggle("unread", unread);
    item.querySelector(".unread-mark")?.toggleAttribute("hidden", !unread);
    const time = item.querySelector("time");
    if (time !== null) time.textContent = ago(this.reader.locale, entry.created_ms, Date.now(), this.words.justNow);
    return item;
  }

  private make(entry: Entry): HTMLLIElement {
    const at = new Date(entry.created_ms).toISOString();
    const exactly = clock(this.reader, entry.created_ms, Date.now());
    const item = el(
      "li",
      { class: "entry", "data-id": entry.id, "data-category": entry.category },
      el(
        "button",
        { class: "entry-open", type: "button", click: () => this.actions.open(entry) },
        el("span", { class: "entry-icon" }, icon(categoryIcon(entry.category))),
        el(
          "span",
          { class: "entry-text" },
          el(
            "span",
            { class: "entry-title" },
            el("span", { class: "unread-mark" }, el("span", { class: "visually-hidden" }, `${this.words.unreadMark}: `)),
            el("bdi", {}, entry.title),
          ),
          el("span", { class: "entry-body" }, el("bdi", {}, entry.body)),
          el("time", { class: "entry-time", datetime: at, title: exactly }),
        ),
      ),
      el(
        "button",
        {
          class: "icon-button entry-archive",
          type: "button",
          "aria-label": this.words.archive(entry.title),
          click: () => this.archive(entry),
        },
        icon("archive"),
      ),
    );
    item.addEventListener("animationend", () => item.classList.remove("arriving"));
    this.items.set(entry.id, item);
    this.eyes.observe(item);
    return item;
  }

  /** The button goes away with its entry, so the focus moves to the neighbour's. */
  private archive(entry: Entry): void {
    const item = this.items.get(entry.id);
    const neighbour = item?.nextElementSibling ?? item?.previousElementSibling;
    this.actions.archive(entry);
    const next = neighbour?.querySelector<HTMLElement>(".entry-archive") ?? byId("inbox-title");
    next.focus();
  }

  private forgetItems(entries: readonly Entry[]): void {
    const listed = new Set(entries.map(({ id }) => id));
    for (const [id, item] of this.items) {
      if (listed.has(id)) continue;
      this.eyes.unobserve(item);
      this.onScreen.delete(id);
      this.items.delete(id);
    }
  }

  private look(changes: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of changes) {
      const id = (target as HTMLElement).dataset["id"] ?? "";
      if (isIntersecting) this.onScreen.add(id);
      else this.onScreen.delete(id);
    }
    this.tellSeenSoon();
  }

  private tellSeenSoon(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.tellSeen(), SEEN_BATCH_MS);
  }

  private tellSeen(): void {
    if (document.visibilityState !== "visible") return;
    const ids = [...this.onScreen].filter((id) => this.inbox.get(id)?.state === "unseen");
    if (ids.length > 0) this.actions.seen(ids);
  }
}

/** By the categories of the default playbook. */
const ICONS: Readonly<Record<string, string>> = { orders: "bag", payments: "card", shipping: "van", sales: "tag" };

function categoryIcon(category: string): string {
  return ICONS[category] ?? "bell";
}
