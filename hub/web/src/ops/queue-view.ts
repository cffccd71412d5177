/** How long the queue is, by lane. */

import { arrange, byId, el } from "../shared/dom";
import type { Lane, Queue } from "./api";
import { duration } from "./health-view";

/** A job that has been due for longer waits for a worker, not for its turn. */
const LATE_S = 5;

export class QueueView {
  private readonly rows = byId("lanes");

  show({ now_ms, lanes }: Queue): void {
    arrange(
      this.rows,
      lanes.map((lane) => row(lane, now_ms)),
    );
  }
}

function row({ lane, waiting, due, in_hand, oldest_due_ms }: Lane, nowMs: number): HTMLElement {
  const lateS = oldest_due_ms === null ? 0 : Math.max(0, (nowMs - oldest_due_ms) / 1_000);
  const late = lateS > LATE_S;
  const numbers = [waiting, due, in_hand].map((count) => el("td", { class: "number" }, count.toLocaleString("en")));
  return el(
    "tr",
    { "data-lane": lane, "data-late": String(late) },
    el("th", { scope: "row" }, lane),
    ...numbers,
    el("td", { class: "number" }, oldest_due_ms === null ? "–" : `${duration(lateS)}${late ? " late" : ""}`),
  );
}
