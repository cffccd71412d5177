/** One person's visit, from signing in to signing out: the connection, what it tells, and the views of it. */

import products from "../../scenario/products.json";
import { type Person, personToken } from "../shared/demo";
import { ConnectionView } from "./connection-view";
import { type Entry, type EntryState, Inbox, type InboxMessage, type InboxPage } from "./inbox";
import { InboxView } from "./inbox-view";
import { Live, type Return } from "./live";
import { Orders } from "./orders";
import { OrdersView } from "./orders-view";
import { Plate } from "./plate";
import { SettingsView } from "./settings-view";
import { ShopWindow } from "./shop-window";
import type { Words } from "./words";

const PAGE_SIZE = 20;
/** Each order is a subscription; the hub allows 128 to a connection. */
const MAX_ORDERS = 12;
const MAX_UNTOLD = 200;

interface Mark {
  readonly operation: string;
  readonly state: EntryState;
  readonly ids: readonly string[];
}

export class Visit {
  private readonly inbox = new Inbox();
  private readonly orders = new Orders();
  private readonly watched = new Set<string>();
  /** Orders that could not be loaded. */
  private readonly failed = new Set<string>();
  /** What the person did while the hub could not be told. */
  private readonly untold: Mark[] = [];
  /** Whether the inbox here is what the hub has; false before the first page, and after something was not told. */
  private loaded = false;
  private readonly plate: Plate;
  private readonly inboxView: InboxView;
  private readonly ordersView: OrdersView;
  private readonly connectionView: ConnectionView;
  private readonly shopWindow: ShopWindow;
  private readonly settingsView: SettingsView;
  private readonly live: Live;

  constructor(
    person: Person,
    private readonly words: Words,
  ) {
    this.plate = new Plate(person, words);
    this.inboxView = new InboxView(this.inbox, words, person, {
      seen: (ids) => this.mark("inbox.ack", "seen", ids),
      open: (entry) => this.open(entry),
      archive: (entry) => this.mark("inbox.archive", "archived", [entry.id]),
      readAll: () => this.readAll(),
      older: () => void this.loadInbox(this.inbox.cursor),
    });
    this.ordersView = new OrdersView(this.orders, words, person);
    this.connectionView = new ConnectionView(words, () => this.live.retry());
    this.shopWindow = new ShopWindow(words, person);
    this.settingsView = new SettingsView(words.settings, person, (method, data) => this.live.rpc(method, data));
    this.inboxView.say(words.inboxLoading);
    this.live = new Live(
      {
        condition: (condition) => this.connectionView.show(condition),
        publication: (topic, data) => this.hear(topic, data),
        ready: (back) => this.onReady(back),
      },
      () => personToken(person.id),
    );
    this.watchPrices();
  }

  close(): void {
    this.live.close();
    const views = [
      this.plate,
      this.inboxView,
      this.ordersView,
      this.connectionView,
      this.shopWindow,
      this.settingsView,
    ];
    for (const view of views) view.close();
  }

  private onReady(back: Return | null): void {
    if (back !== null) this.connectionView.welcomeBack(back);
    for (const { operation, state, ids } of this.untold.splice(0)) this.mark(operation, state, ids);
    // With everything recovered the inbox is right already; the page is only asked for what recovery cannot tell.
    if (back === null || !back.complete || !this.loaded) void this.loadInbox(null);
    else this.inboxView.show();
  }

  private async loadInbox(cursor: string | null): Promise<void> {
    const asked = this.inbox.asking();
    try {
      const request = cursor === null ? { limit: PAGE_SIZE } : { limit: PAGE_SIZE, cursor };
      const page = await this.live.rpc<InboxPage>("inbox.list", request);
      this.inbox.addPage(page, asked, cursor === null);
      this.loaded = true;
      this.showInbox(null);
      this.watchOrders();
      // Of those that are watched each shows when it is loaded.
      if (this.watched.size === 0) this.ordersView.show();
    } catch {
      // The SDK gives up after 5 s; `onReady` asks again when the connection stands.
      if (!this.loaded) this.inboxView.say(this.words.inboxFailed);
    }
  }

  private hear(topic: string, data: unknown): boolean {
    if (!topic.startsWith("inbox:")) return this.shopWindow.announce(data);
    const arrived = this.inbox.apply(data as InboxMessage);
    this.showInbox(arrived);
    if (arrived === null) return false;
    this.plate.ring(arrived.title);
    this.watchOrders();
    return true;
  }

  private showInbox(arrived: Entry | null): void {
    this.inboxView.show(arrived);
    this.plate.count(this.inbox.unread);
  }

  private open(entry: Entry): void {
    this.mark("inbox.read", "read", [entry.id]);
    const order = orderOf(entry);
    if (order !== null) this.ordersView.reveal(order);
  }

  private readAll(): void {
    for (const { id } of this.inbox.listed()) this.inbox.advance(id, "read");
    this.showInbox(null);
    // Not told again later: it would cover what nobody has seen by then. The next page shows how it is.
    this.live.rpc("inbox.read", { all: true }).catch(() => (this.loaded = false));
  }

  /** Show it at once; the hub's message corrects the count. What does not get through is told when it can be. */
  private mark(operation: string, state: EntryState, ids: readonly string[]): void {
    for (const id of ids) this.inbox.advance(id, state);
    this.showInbox(null);
    this.live.rpc(operation, { ids }).catch(() => {
      if (this.untold.length < MAX_UNTOLD) this.untold.push({ operation, state, ids });
    });
  }

  /** Subscribe the newest orders that the notifications speak of. */
  private watchOrders(): void {
    const found = this.inbox.listed().map(orderOf);
    for (const id of found.filter((order) => order !== null)) {
      if (this.failed.has(id)) void this.loadOrder(id);
      else if (!this.watched.has(id) && this.watched.size < MAX_ORDERS) this.watchOrder(id);
    }
  }

  private watchOrder(id: string): void {
    this.watched.add(id);
    const onData = (data: unknown) => this.ordersView.show(this.orders.apply(id, data) ? id : null);
    this.live.subscribe(`order:${id}`, onData, (complete) => {
      if (!complete) void this.loadOrder(id);
    });
  }

  private async loadOrder(id: string): Promise<void> {
    this.failed.delete(id);
    try {
      this.orders.load(id, await this.live.rpc("orders.get", { order_id: id }));
      this.ordersView.show();
    } catch {
      this.failed.add(id); // Asked for again with the next notification about it.
    }
  }

  private watchPrices(): void {
    for (const { product_id } of products) {
      const topic = `price:${product_id}`;
      const show = (data: unknown) => this.shopWindow.price(data);
      this.live.subscribe(topic, show, (complete) => {
        if (!complete) this.live.last(topic).then(show, () => undefined); // The next change shows it.
      });
    }
  }
}

function orderOf(entry: Entry): string | null {
  const id = entry.data?.["order_id"];
  return typeof id === "string" ? id : null;
}
