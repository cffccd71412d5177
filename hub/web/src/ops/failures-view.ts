/** The latest steps of ladders that went wrong. */

import { byId, el } from "../shared/dom";
import { READER, clock } from "../shared/format";
import { KeyedList } from "../shared/keyed-list";
import type { Failure } from "./api";

export class FailuresView {
  private readonly list = new KeyedList(byId("failures"), { keyOf, make });
  private readonly none = byId("failures-none");

  show(failures: readonly Failure[]): void {
    this.none.hidden = failures.length > 0;
    this.list.show(failures);
  }
}

function keyOf({ notification, channel, at_ms }: Failure): string {
  return `${notification} ${channel} ${at_ms}`;
}

function make({ at_ms, channel, outcome, reason, event_type, user, notification, tries }: Failure): HTMLElement {
  return el(
    "li",
    { class: "failure", "data-outcome": outcome },
    el(
      "p",
      { class: "failure-head" },
      el("span", { class: "outcome" }, outcome),
      el("span", {}, `${channel}, ${event_type}`),
      el("time", { datetime: new Date(at_ms).toISOString() }, clock(READER, at_ms, Date.now())),
    ),
    el("p", { class: "reason" }, reason),
    el("p", { class: "hint" }, `${user}, try ${tries}, `, el("code", {}, notification)),
  );
}
