/** The orders as this page knows them: what `orders.get` told, and the publications on `order:<id>` since. */

import type { Money } from "../shared/format";
import type { Happening } from "./words";

/** One step of an order's way, as it stands in the timeline and as it is published. */
export interface Update {
  /** The key of the event behind it: the same in the timeline and in the publication. */
  readonly event: string;
  readonly type: Happening;
  readonly timeMs: number;
  readonly reason: string | null;
  readonly etaMs: number | null;
}

export interface Order {
  readonly id: string;
  readonly total: Money | null;
  readonly items: readonly string[];
  readonly updates: readonly Update[];
}

/** The way to the door. A payment or a delay is an update without being a stage. */
export const STAGES: readonly Happening[] = [
  "order.placed",
  "order.confirmed",
  "order.packed",
  "shipment.dispatched",
  "shipment.out_for_delivery",
  "shipment.delivered",
];

/** How an order is doing, for its colour. */
export type Mood = "moving" | "done" | "trouble" | "over";

const MOODS: Partial<Record<Happening, Mood>> = {
  "shipment.delivered": "done",
  "payment.failed": "trouble",
  "shipment.delayed": "trouble",
  "shipment.failed": "trouble",
  "order.cancelled": "over",
  "order.returned": "over",
  "payment.refunded": "over",
  "shipment.returned": "over",
};

/** These say something about the order beside its way, so they are not what it is doing now. */
const ASIDE: ReadonlySet<Happening> = new Set(["payment.authorized", "payment.captured", "payment.refunded"]);

export class Orders {
  private readonly orders = new Map<string, Order>();

  get(id: string): Order | undefined {
    return this.orders.get(id);
  }

  /** Newest order first. */
  listed(): readonly Order[] {
    return [...this.orders.values()].filter(({ updates }) => updates.length > 0).sort((a, b) => begun(b) - begun(a));
  }

  /** Take the answer to `orders.get`. */
  load(id: string, answer: unknown): void {
    const raw = (answer ?? {}) as RawOrder;
    const updates = (raw.timeline ?? []).map(updateFrom).filter((update) => update !== null);
    const known = this.orders.get(id)?.updates ?? [];
    const items = (raw.items ?? []).map(({ name, quantity }) => (quantity > 1 ? `${quantity} × ${name}` : name));
    this.orders.set(id, { id, total: raw.total ?? null, items, updates: merged(known, updates) });
  }

  /** Take a publication on `order:<id>`. Returns whether it moved the order. */
  apply(id: string, publication: unknown): boolean {
    const update = updateFrom(publication as RawUpdate);
    if (update === null) return false;
    const order = this.orders.get(id) ?? { id, total: null, items: [], updates: [] };
    const updates = merged(order.updates, [update]);
    this.orders.set(id, { ...order, updates });
    return updates.length > order.updates.length;
  }
}

/** How many of the stages are behind the order, 0 … STAGES.length. */
export function stageOf(order: Order): number {
  return Math.max(0, ...order.updates.map(({ type }) => STAGES.indexOf(type) + 1));
}

/** The update that says what the order is doing now. */
export function headline(order: Order): Update | undefined {
  return order.updates.findLast(({ type }) => !ASIDE.has(type)) ?? order.updates.at(-1);
}

export function moodOf(type: Happening): Mood {
  return MOODS[type] ?? "moving";
}

/** When it is expected, as last told; null once it has arrived or will not. */
export function expectedMs(order: Order): number | null {
  const now = headline(order);
  if (now === undefined || moodOf(now.type) === "done" || moodOf(now.type) === "over") return null;
  return order.updates.findLast(({ etaMs }) => etaMs !== null)?.etaMs ?? null;
}

interface RawUpdate {
  readonly type?: string;
  readonly event?: string;
  readonly time?: number;
  readonly reason?: string;
  readonly eta?: number;
}

interface RawOrder {
  readonly total?: Money | null;
  readonly items?: readonly { readonly name: string; readonly quantity: number }[];
  readonly timeline?: readonly RawUpdate[];
}

function updateFrom({ type, event, time, reason, eta }: RawUpdate): Update | null {
  if (type === undefined || event === undefined || time === undefined) return null;
  return { event, type: type as Happening, timeMs: time, reason: reason ?? null, etaMs: eta ?? null };
}

/** Both without doubles: the same step may come with the timeline and as a publication. */
function merged(known: readonly Update[], more: readonly Update[]): readonly Update[] {
  const byEvent = new Map([...known, ...more].map((update) => [update.event, update]));
  return [...byEvent.values()].sort((a, b) => a.timeMs - b.timeMs);
}

function begun(order: Order): number {
  return order.updates[0]?.timeMs ?? 0;
}
