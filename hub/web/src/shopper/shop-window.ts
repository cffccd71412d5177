/** What concerns everybody: sales as a banner, and the prices that this shopper watches. */

import { byId, el, setHidden } from "../shared/dom";
import { type Money, type Reader, clock, money } from "../shared/format";
import type { Words } from "./words";

interface SaleMessage {
  readonly type?: string;
  readonly sale_id?: string;
  readonly title?: string;
  readonly starts_at?: number;
  readonly ends_at?: number;
}

interface PriceMessage {
  readonly product_id?: string;
  readonly name?: string | null;
  readonly old?: Money;
  readonly new?: Money;
}

export class ShopWindow {
  private readonly banner = byId("announcement");
  private readonly bannerText = byId("announcement-text");
  private readonly prices = byId("prices");
  private readonly priceList = byId("prices-list");
  private readonly leaving = new AbortController();

  constructor(
    private readonly words: Words,
    private readonly reader: Reader,
  ) {
    const dismiss = byId<HTMLButtonElement>("announcement-dismiss");
    dismiss.setAttribute("aria-label", words.dismiss);
    const close = () => setHidden(this.banner, true, () => byId("inbox-title"));
    dismiss.addEventListener("click", close, { signal: this.leaving.signal });
  }

  /**
   * Take a publication on `announcements`. Returns whether it is shown: what is no sale is left alone, as newer hubs
   * may announce more.
   */
  announce(data: unknown): boolean {
    const sale = data as SaleMessage;
    const text = this.describe(sale);
    if (text === null) return false;
    this.bannerText.textContent = text;
    this.banner.dataset["sale"] = sale.type ?? "";
    this.banner.hidden = false;
    return true;
  }

  /** Take a publication on `price:<product>`. */
  price(data: unknown): void {
    const { product_id: id, name, old, new: now } = (data ?? {}) as PriceMessage;
    if (id === undefined || old === undefined || now === undefined) return;
    const fell = now.amount_minor < old.amount_minor;
    const row = el(
      "li",
      { class: "price", "data-product": id, "data-way": fell ? "down" : "up" },
      el("span", { class: "price-name" }, el("bdi", {}, name ?? id)),
      el("strong", { class: "price-now" }, money(this.reader.locale, now)),
      el("span", { class: "price-was" }, this.words.was(money(this.reader.locale, old))),
    );
    const shown = [...this.priceList.children].find((child) => (child as HTMLElement).dataset["product"] === id);
    if (shown === undefined) this.priceList.append(row);
    else shown.replaceWith(row);
    this.prices.hidden = false;
  }

  close(): void {
    this.leaving.abort();
    this.banner.hidden = true;
    this.prices.hidden = true;
    this.priceList.replaceChildren();
  }

  private describe({ type, title = this.words.sale, starts_at, ends_at }: SaleMessage): string | null {
    switch (type) {
      case "sale.scheduled":
        return this.words.saleScheduled(title, this.time(starts_at));
      case "sale.started": {
        const until = ends_at === undefined ? "" : ` · ${this.words.until(this.time(ends_at))}`;
        return this.words.saleStarted(title) + until;
      }
      case "sale.ended":
        return this.words.saleEnded(title);
      case "sale.cancelled":
        return this.words.saleCancelled(title);
      default:
        return null;
    }
  }

  private time(timeMs: number | undefined): string {
    return timeMs === undefined ? "" : clock(this.reader, timeMs, Date.now());
  }
}
