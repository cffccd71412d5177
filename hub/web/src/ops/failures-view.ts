/** The latest steps of ladders that went wrong. */

import { arrange, byId, el } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import type { Failure } from "./api";

export class FailuresView {
  private readonly list = byId("failures");
  private readonly none = byId("failures-none");
  private readonly items = new Map<string, HTMLElement>();

  constructor(private readonly reader: Reader) {}

  show(failures: readonly Failure[]): void {
    this.none.hidden = failures.length > 0;
    arrange(
      this.list,
      failures.map((failure) => this.item(failure)),
    );
    const kept = new Set(failures.map(keyOf));
    for (const key of this.items.keys()) if (!kept.has(key)) this.items.delete(key);
  }

  private item(failure: Failure): HTMLElement {
    const key = keyOf(failure);
    const made = this.items.get(key) ?? this.make(failure);
    this.items.set(key, made);
    return made;
  }

  private make(failure: Failure): HTMLElement {
    const { at_ms, channel, outcome, reason, event_type, user, notification, tries } = failure;
    return el(
      "li",
      { class: "failure", "data-outcome": outcome },
      el(
        "p",
        { class: "failure-head" },
        el("span", { class: "outcome" }, outcome),
        el("span", {}, `${channel}, ${event_type}`),
        el("time", { datetime: new Date(at_ms).toISOString() }, clock(this.reader, at_ms, Date.now())),
      ),
      el("p", { class: "reason" }, reason),
      el("p", { class: "hint" }, `${user}, try ${tries}, `, el("code", {}, notification)),
    );
  }
}

function keyOf({ notification, channel, at_ms }: Failure): string {
  return `${notification} ${channel} ${at_ms}`;
}
