/** The list of what was published and what the hub answered. */

import { byId, el } from "../shared/dom";
import type { Answer } from "../shared/http";
import { type Fault, meaningOf } from "./outcome";

const MAX_SHOWN = 20;

export class Answers {
  private readonly list = byId("answers");
  private readonly empty = byId("answers-empty");

  /** Show what came back for an event of `type`; null where the hub did not answer. */
  add(type: string, answer: Answer | null): void {
    const { tone, text, faults } = meaningOf(answer);
    const row = el(
      "li",
      { class: "answer", "data-tone": tone, "data-status": answer?.status ?? 0 },
      el("span", { class: "status" }, answer === null ? "–" : String(answer.status)),
      el("code", { class: "answer-type" }, type),
      answer === null ? null : el("span", { class: "answer-took" }, `${answer.tookMs} ms`),
      el("span", { class: "answer-text" }, text),
      ...faults.map(explained),
    );
    this.list.prepend(row);
    while (this.list.children.length > MAX_SHOWN) this.list.lastElementChild?.remove();
    this.empty.hidden = true;
  }
}

function explained({ field, problem }: Fault): HTMLElement {
  const name = field === "" ? null : el("code", { class: "answer-field" }, field);
  return el("p", { class: "answer-detail" }, name, ` ${problem}`);
}
