/** How long the queue is, by lane. */

import { byId, el } from "../shared/dom";
import { KeyedList } from "../shared/keyed-list";
import type { Lane, Queue } from "./api";
import { duration } from "./health-view";

/** A job that has been due for longer waits for a worker, not for its turn. */
const LATE_S = 5;

interface Row {
  readonly lane: string;
  readonly late: boolean;
  /** The cells' texts. */
  readonly cells: readonly string[];
}

export class QueueView {
  /** Made again only where it would look different, so that what is selected stays so. */
  private readonly rows = new KeyedList<Row>(byId("lanes"), { keyOf: (row) => JSON.stringify(row), make });

  show({ now_ms, lanes }: Queue): void {
    this.rows.show(lanes.map((lane) => rowOf(lane, now_ms)));
  }
}

function rowOf({ lane, waiting, due, in_hand, oldest_due_ms }: Lane, nowMs: number): Row {
  const counts = [waiting, due, in_hand].map((count) => count.toLocaleString("en"));
  if (oldest_due_ms === null) return { lane, late: false, cells: [...counts, "–"] };
  const lateS = Math.max(0, (nowMs - oldest_due_ms) / 1_000);
  const late = lateS > LATE_S;
  return { lane, late, cells: [...counts, `${duration(lateS)}${late ? " late" : ""}`] };
}

function make({ lane, late, cells }: Row): HTMLElement {
  const numbers = cells.map((text) => el("td", { class: "number" }, text));
  return el("tr", { "data-lane": lane, "data-late": String(late) }, el("th", { scope: "row" }, lane), ...numbers);
}
