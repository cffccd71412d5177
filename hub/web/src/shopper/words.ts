/** The words of the shopper's page in each language. Texts of notifications come from the hub, already in theirs. */

import { ar } from "./words/ar";
import { de } from "./words/de";
import { en } from "./words/en";
import { ptBR } from "./words/pt-br";
import type { SettingsWords } from "./words/settings";

/** What a shipment or an order came to; the names are the event types of the backend. */
export type Happening =
  | "order.placed"
  | "order.confirmed"
  | "order.packed"
  | "order.cancelled"
  | "order.returned"
  | "payment.authorized"
  | "payment.captured"
  | "payment.failed"
  | "payment.refunded"
  | "shipment.created"
  | "shipment.dispatched"
  | "shipment.out_for_delivery"
  | "shipment.delayed"
  | "shipment.rescheduled"
  | "shipment.delivered"
  | "shipment.failed"
  | "shipment.returned";

export interface Words {
  /** The language's tag and direction, as HTML has them. */
  readonly lang: string;
  readonly dir: "ltr" | "rtl";
  /** The name of the list of pages. */
  readonly pages: string;
  readonly shopper: string;
  readonly publish: string;
  readonly outbox: string;
  readonly operator: string;
  readonly skip: string;
  readonly panel: string;
  readonly panelLead: string;
  readonly noDemo: string;
  readonly hubAway: string;
  readonly signOut: string;
  readonly openSettings: string;
  readonly connecting: string;
  readonly connected: string;
  readonly offline: string;
  readonly signedOutByHub: string;
  readonly retryIn: (seconds: number) => string;
  readonly retryNow: string;
  readonly recovered: (missed: number) => string;
  readonly reloaded: string;
  readonly inbox: string;
  readonly inboxLoading: string;
  readonly inboxFailed: string;
  readonly inboxEmpty: string;
  readonly inboxEmptyHint: string;
  readonly unread: (count: number) => string;
  readonly unreadMark: string;
  readonly markAllRead: string;
  readonly archive: (title: string) => string;
  readonly older: string;
  readonly justNow: string;
  readonly arrived: (title: string) => string;
  readonly orders: string;
  readonly ordersEmpty: string;
  readonly ordersEmptyHint: string;
  readonly order: (id: string) => string;
  readonly goods: (names: readonly string[]) => string;
  readonly step: (step: number, of: number) => string;
  readonly allUpdates: (count: number) => string;
  readonly expected: (when: string) => string;
  readonly prices: string;
  readonly was: (price: string) => string;
  readonly dismiss: string;
  readonly sale: string;
  readonly saleScheduled: (title: string, when: string) => string;
  readonly saleStarted: (title: string) => string;
  readonly saleEnded: (title: string) => string;
  readonly saleCancelled: (title: string) => string;
  readonly until: (when: string) => string;
  readonly settings: SettingsWords;
  readonly happening: Readonly<Record<Happening, string>>;
}

const BY_LANGUAGE: Readonly<Record<string, Words>> = { ar, de, en, pt: ptBR };

/** The words for the first of these locales whose language the page speaks, such as `pt-BR`; English for none. */
export function wordsFor(...locales: readonly string[]): Words {
  const spoken = locales.map((locale) => BY_LANGUAGE[languageOf(locale)]).find((words) => words !== undefined);
  return spoken ?? en;
}

/** Whose dates and amounts stand among these words: the person's where the language is theirs, else those of the words. */
export function formatsFor(words: Words, locale: string): string {
  return languageOf(locale) === languageOf(words.lang) ? locale : words.lang;
}

function languageOf(locale: string): string {
  return locale.split("-", 1)[0] ?? "";
}
