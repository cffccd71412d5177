/** The journey of one order: which step comes next, and the buttons that take it. */

import { PEOPLE } from "../shared/demo";
import { byId, el, icon } from "../shared/dom";
import { example, type CloudEvent, type Subject } from "./examples";

interface Step {
  readonly name: string;
  /** Published one after the other. */
  readonly types: readonly string[];
}

const STEPS: readonly Step[] = [
  { name: "Place the order", types: ["order.placed"] },
  { name: "Confirm", types: ["order.confirmed", "payment.captured"] },
  { name: "Pack", types: ["order.packed"] },
  { name: "Ship", types: ["shipment.created", "shipment.dispatched"] },
  { name: "Out for delivery", types: ["shipment.out_for_delivery"] },
  { name: "Deliver", types: ["shipment.delivered"] },
];

const ASIDES: readonly Step[] = [
  { name: "Payment fails", types: ["payment.failed"] },
  { name: "Shipment is delayed", types: ["shipment.delayed"] },
  { name: "Nobody at home", types: ["shipment.failed"] },
  { name: "Order is cancelled", types: ["order.cancelled"] },
  { name: "Price drops", types: ["price.changed"] },
  { name: "Sale starts", types: ["sale.started"] },
];

export class Journey {
  private readonly person = byId<HTMLSelectElement>("person");
  private readonly orderName = byId("order-name");
  private readonly buttons: readonly HTMLButtonElement[];
  private order = newOrder();
  private drops = 0;
  private sale = newSale();
  private done = 0;

  constructor(private readonly publish: (events: readonly CloudEvent[]) => Promise<boolean>) {
    this.person.append(...PEOPLE.map(({ id, name, locale }) => el("option", { value: id }, `${name} (${locale})`)));
    this.buttons = STEPS.map((step, index) => this.stepButton(step, index));
    byId("journey").append(...this.buttons.map((button) => el("li", {}, button)));
    byId("asides").append(...ASIDES.map((step) => el("li", {}, this.asideButton(step))));
    byId("new-order").addEventListener("click", () => this.restart());
    this.person.addEventListener("change", () => this.restart());
    this.show();
  }

  /** What an example made now is about. */
  subject(): Subject {
    const person = PEOPLE.find(({ id }) => id === this.person.value) ?? PEOPLE[0];
    if (person === undefined) throw new Error("scenario/people.json names nobody");
    return { person, order: this.order, drops: this.drops, sale: this.sale, nowMs: Date.now() };
  }

  private restart(): void {
    this.order = newOrder();
    this.done = 0;
    this.show();
  }

  private stepButton(step: Step, index: number): HTMLButtonElement {
    const button = el("button", { class: "step", type: "button", "data-step": step.types[0] }, step.name);
    button.prepend(el("span", { class: "step-mark" }, icon("check")));
    button.addEventListener("click", () => void this.take(step, index));
    return button;
  }

  private asideButton(step: Step): HTMLButtonElement {
    const button = el("button", { class: "aside", type: "button", "data-step": step.types[0] }, step.name);
    button.addEventListener("click", () => void this.take(step, null));
    return button;
  }

  private async take(step: Step, index: number | null): Promise<void> {
    // A sale starts once; the next click is about another one.
    if (step.types.includes("sale.started")) this.sale = newSale();
    const subject = this.subject();
    // One millisecond apart: where a payload has no version, the time orders the events of an order.
    const events = step.types.map((type, at) => example(type, { ...subject, nowMs: subject.nowMs + at }));
    const accepted = await this.publish(events);
    if (!accepted) return;
    if (step.types.includes("price.changed")) this.drops += 1;
    if (index !== null && subject.order === this.order) this.done = Math.max(this.done, index + 1);
    this.show();
  }

  private show(): void {
    this.orderName.textContent = this.order;
    this.buttons.forEach((button, index) => {
      button.classList.toggle("taken", index < this.done);
      button.classList.toggle("next", index === this.done);
    });
  }
}

function newOrder(): string {
  return `A-${sixDigits()}`;
}

function newSale(): string {
  return `winter-porch-${sixDigits()}`;
}

/** Short enough to say aloud, and different in each tab. */
function sixDigits(): string {
  const [number = 0] = crypto.getRandomValues(new Uint32Array(1));
  return String(number % 1_000_000).padStart(6, "0");
}
