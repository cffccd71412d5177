/** The list of what was published and what the hub answered. */

import { byId, el } from "../shared/dom";
import type { Answer } from "../shared/http";

const MAX_SHOWN = 20;

/** An RFC 9457 problem, with the fields that are wrong where there are any. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly field: string; readonly problem: string }[];
}

export class Answers {
  private readonly list = byId("answers");
  private readonly empty = byId("answers-empty");

  /** Show what came back for an event of `type`; null where the hub did not answer. */
  add(type: string, answer: Answer | null): void {
    const problem = (answer?.ok ? {} : (answer?.body ?? {})) as Problem;
    const row = el(
      "li",
      { class: "answer", "data-ok": String(answer?.ok ?? false), "data-status": answer?.status ?? 0 },
      el("span", { class: "status" }, answer === null ? "–" : String(answer.status)),
      el("code", { class: "answer-type" }, type),
      el("span", { class: "answer-text" }, summary(answer, problem)),
      answer === null ? null : el("span", { class: "answer-took" }, `${answer.tookMs} ms`),
      ...details(problem),
    );
    this.list.prepend(row);
    while (this.list.children.length > MAX_SHOWN) this.list.lastElementChild?.remove();
    this.empty.hidden = true;
  }
}

function summary(answer: Answer | null, { title = "Refused" }: Problem): string {
  if (answer === null) return "No answer from the hub. Is it running?";
  return answer.ok ? "Accepted" : title;
}

/** The fields say it more exactly than the text about all of them. */
function details({ errors = [], detail }: Problem): readonly HTMLElement[] {
  if (errors.length === 0) return detail === undefined ? [] : [el("p", { class: "answer-detail" }, detail)];
  return errors.map(({ field, problem }) =>
    el("p", { class: "answer-detail" }, el("code", { class: "answer-field" }, field), ` ${problem}`),
  );
}
