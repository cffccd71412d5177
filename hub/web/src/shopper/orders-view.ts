/** The orders: for each its way to the door, what it is doing now, and all that happened. */

import { arrange, byId, el, icon } from "../shared/dom";
import { type Reader, clock, money } from "../shared/format";
import { type Order, type Orders, STAGES, type Update, expectedMs, headline, moodOf, stageOf } from "./orders";
import type { Words } from "./words";

/** Updates shown before the rest folds away. */
const SHOWN_UPDATES = 3;
const HIGHLIGHT_MS = 1_600;
/** Every update of a shipment carries what is expected; these are the ones that changed it. */
const ETA_NEWS: ReadonlySet<string> = new Set(["shipment.created", "shipment.delayed", "shipment.rescheduled"]);

export class OrdersView {
  private readonly list = byId("orders-list");
  private readonly empty = byId("orders-empty");
  private readonly cards = new Map<string, HTMLElement>();

  constructor(
    private readonly orders: Orders,
    private readonly words: Words,
    private readonly reader: Reader,
  ) {}

  /** Bring the page in line. `moved` is the order that has just taken a step. */
  show(moved: string | null = null): void {
    const orders = this.orders.listed();
    this.empty.hidden = orders.length > 0;
    arrange(
      this.list,
      orders.map((order) => this.card(order)),
    );
    const card = moved === null ? undefined : this.cards.get(moved);
    if (card !== undefined) this.mark(card, "moved");
  }

  /** Bring an order into view, as the answer to a click on its notification. */
  reveal(id: string): void {
    const card = this.cards.get(id);
    if (card === undefined) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    card.scrollIntoView({ block: "nearest", behavior: still ? "auto" : "smooth" });
    this.mark(card, "pointed");
  }

  close(): void {
    this.list.replaceChildren();
    this.empty.hidden = true;
  }

  private mark(card: HTMLElement, name: string): void {
    card.classList.add(name);
    setTimeout(() => card.classList.remove(name), HIGHLIGHT_MS);
  }

  /** The card stays the same element, so that its way to the door moves and its folded part stays as it was. */
  private card(order: Order): HTMLElement {
    const card = this.cards.get(order.id) ?? this.make(order.id);
    const now = headline(order);
    if (now === undefined) return card;
    const stage = stageOf(order);
    card.dataset["mood"] = moodOf(now.type);
    card.dataset["stage"] = String(stage);
    set(card, ".order-now", this.words.happening[now.type] ?? now.type);
    set(card, ".order-step", this.words.step(stage, STAGES.length));
    set(card, ".order-total", order.total === null ? "" : money(this.reader.locale, order.total));
    set(card, ".order-items", this.words.goods(order.items));
    const expected = expectedMs(order);
    set(card, ".order-eta", expected === null ? "" : this.words.expected(this.time(expected)));
    card.querySelectorAll(".stop").forEach((stop, index) => {
      stop.classList.toggle("passed", index < stage);
      stop.classList.toggle("current", index === stage - 1);
    });
    this.showUpdates(card, [...order.updates].reverse());
    return card;
  }

  private make(id: string): HTMLElement {
    const heading = `order-${this.cards.size + 1}`;
    const stops = STAGES.map((type, index) =>
      el(
        "li",
        { class: "stop", title: this.words.happening[type] },
        index === STAGES.length - 1 ? icon("door") : null,
        el("span", { class: "visually-hidden" }, this.words.happening[type]),
      ),
    );
    const card = el(
      "article",
      { class: "card order", "aria-labelledby": heading, "data-order": id },
      el(
        "header",
        { class: "order-head" },
        el("h3", { id: heading, class: "order-id" }, this.words.order(id)),
        el("span", { class: "order-total" }),
      ),
      el("p", { class: "order-items" }),
      el("p", { class: "order-status" }, el("strong", { class: "order-now" }), el("span", { class: "order-step" })),
      el("ol", { class: "way" }, ...stops),
      el("p", { class: "order-eta" }),
      el("ol", { class: "updates recent", reversed: true }),
      el("details", { class: "more" }, el("summary"), el("ol", { class: "updates rest", reversed: true })),
    );
    this.cards.set(id, card);
    return card;
  }

  private showUpdates(card: HTMLElement, updates: readonly Update[]): void {
    const recent = updates.slice(0, SHOWN_UPDATES);
    const rest = updates.slice(SHOWN_UPDATES);
    card.querySelector(".recent")?.replaceChildren(...recent.map((update) => this.update(update)));
    card.querySelector(".rest")?.replaceChildren(...rest.map((update) => this.update(update)));
    card.querySelector(".more")?.toggleAttribute("hidden", rest.length === 0);
    set(card, "summary", this.words.allUpdates(updates.length));
  }

  private update(update: Update): HTMLElement {
    const at = new Date(update.timeMs).toISOString();
    const tellsEta = update.etaMs !== null && ETA_NEWS.has(update.type);
    const eta = tellsEta ? this.words.expected(this.time(update.etaMs)) : null;
    const parts = [update.reason, eta].filter((text) => text !== null).map((text) => el("bdi", {}, text));
    const detail = parts.flatMap((part, index) => (index === 0 ? [part] : [" · ", part]));
    return el(
      "li",
      { class: "update", "data-mood": moodOf(update.type), "data-type": update.type },
      el("time", { datetime: at }, this.time(update.timeMs)),
      el(
        "span",
        { class: "update-text" },
        this.words.happening[update.type] ?? update.type,
        detail.length === 0 ? null : el("span", { class: "update-detail" }, ...detail),
      ),
    );
  }

  private time(timeMs: number): string {
    return clock(this.reader, timeMs, Date.now());
  }
}

function set(card: HTMLElement, selector: string, text: string): void {
  const element = card.querySelector<HTMLElement>(selector);
  if (element === null || element.textContent === text) return;
  element.textContent = text;
  element.hidden = text === "";
}
