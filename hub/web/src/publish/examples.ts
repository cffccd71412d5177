/** Ready examples of every type of event, as a backend would publish them. */

import products from "../../scenario/products.json";
import type { Person } from "../shared/demo";

/** A CloudEvents 1.0 envelope in structured mode. */
export interface CloudEvent {
  readonly specversion: "1.0";
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly datacontenttype: "application/json";
  readonly data: Readonly<Record<string, unknown>>;
}

/** What the examples are about: one order of one person. */
export interface Subject {
  readonly person: Person;
  readonly order: string;
  /** Counts up with each price drop, so that each tells another price. */
  readonly drops: number;
  readonly sale: string;
  readonly nowMs: number;
}

type Data = Readonly<Record<string, unknown>>;

const SOURCE = "/demo/shop";
const HOUR_MS = 3_600_000;
const [LAMP, MAT] = products as [Product, Product];

interface Product {
  readonly product_id: string;
  readonly name: string;
  readonly price: { readonly amount_minor: number; readonly currency: string };
}

/** The types by family, in the order in which they happen. */
export const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  Order: ["order.placed", "order.confirmed", "order.packed", "order.cancelled", "order.returned"],
  Payment: ["payment.authorized", "payment.captured", "payment.failed", "payment.refunded"],
  Shipment: [
    "shipment.created",
    "shipment.dispatched",
    "shipment.out_for_delivery",
    "shipment.delayed",
    "shipment.rescheduled",
    "shipment.delivered",
    "shipment.failed",
    "shipment.returned",
  ],
  "Price and stock": ["price.changed", "stock.replenished"],
  Sale: ["sale.scheduled", "sale.started", "sale.ended", "sale.cancelled"],
  Person: ["user.updated", "user.erased"],
};

/** Make an example of `type` about the subject. */
export function example(type: string, subject: Subject): CloudEvent {
  return {
    specversion: "1.0",
    id: crypto.randomUUID(),
    source: SOURCE,
    type,
    time: new Date(subject.nowMs).toISOString(),
    datacontenttype: "application/json",
    data: dataOf(type, subject),
  };
}

function dataOf(type: string, subject: Subject): Data {
  const [family] = type.split(".");
  switch (family) {
    case "order":
      return orderData(type, subject);
    case "payment":
      return paymentData(type, subject);
    case "shipment":
      return shipmentData(type, subject);
    case "sale":
      return saleData(type, subject);
    case "user":
      return userData(type, subject);
    default:
      return productData(type, subject);
  }
}

function orderData(type: string, { order, person }: Subject): Data {
  switch (type) {
    case "order.placed":
      return { order_id: order, customer_id: person.id, total: total(), items: [item(LAMP, 1), item(MAT, 2)] };
    case "order.cancelled":
      return { order_id: order, reason: "Out of stock" };
    case "order.returned":
      return { order_id: order, reason: "Did not fit the porch" };
    default:
      return { order_id: order };
  }
}

function paymentData(type: string, { order }: Subject): Data {
  const data = { order_id: order, payment_id: `pay-${order}`, amount: total() };
  return type === "payment.failed" ? { ...data, reason: "The card was declined" } : data;
}

function shipmentData(type: string, { order, nowMs }: Subject): Data {
  const data = { shipment_id: `ship-${order}`, order_id: order };
  switch (type) {
    case "shipment.created":
      return { ...data, carrier: "Swift Parcel", eta: instant(nowMs, 26) };
    case "shipment.out_for_delivery":
      return { ...data, attempt: 1 };
    case "shipment.delayed":
      return { ...data, new_eta: instant(nowMs, 50), reason: "Snow on the mountain road" };
    case "shipment.rescheduled":
      return { ...data, new_eta: instant(nowMs, 74), reason: "Agreed with the customer" };
    case "shipment.delivered":
      return { ...data, delivered_at: instant(nowMs, 0), signed_by: "A neighbour" };
    case "shipment.failed":
      return { ...data, reason: "Nobody was at home", attempt: 1 };
    case "shipment.returned":
      return { ...data, reason: "Not collected in time" };
    default:
      return data;
  }
}

function productData(type: string, { drops }: Subject): Data {
  const { product_id, name, price } = LAMP;
  if (type === "stock.replenished") return { product_id, name, quantity: 40 };
  const after = (count: number) => ({ ...price, amount_minor: Math.max(100, price.amount_minor - 450 * count) });
  return { product_id, name, old: after(drops), new: after(drops + 1) };
}

function saleData(type: string, { nowMs, sale }: Subject): Data {
  const data = { sale_id: sale };
  const told = { ...data, title: "Winter porch sale", offer: { percent_off: 20, category: "lamps" } };
  switch (type) {
    case "sale.scheduled":
      return { ...told, starts_at: instant(nowMs, 2), ends_at: instant(nowMs, 26) };
    case "sale.started":
      return { ...told, starts_at: instant(nowMs, 0), ends_at: instant(nowMs, 24) };
    default:
      return data;
  }
}

function userData(type: string, { person }: Subject): Data {
  const data = { user_id: person.id };
  return type === "user.erased" ? data : { ...data, name: person.name, email: person.email, locale: person.locale };
}

function item({ product_id, name, price }: Product, quantity: number): Data {
  return { product_id, name, quantity, price };
}

function total(): Data {
  return { amount_minor: LAMP.price.amount_minor + 2 * MAT.price.amount_minor, currency: LAMP.price.currency };
}

function instant(nowMs: number, hours: number): string {
  return new Date(nowMs + hours * HOUR_MS).toISOString();
}
