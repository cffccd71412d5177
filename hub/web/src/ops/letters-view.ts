/** Dead letters: what was put aside, to look at, to try again and to drop. */

import { byId, el, setHidden } from "../shared/dom";
import { READER, clock } from "../shared/format";
import { KeyedList } from "../shared/keyed-list";
import type { Letter, LetterOutcome, Letters } from "./api";

export interface LetterActions {
  act(what: "retry" | "drop", ids: readonly string[]): Promise<readonly LetterOutcome[]>;
  older(): void;
}

export class LettersView {
  private readonly list: KeyedList<Letter>;
  private readonly none = byId("letters-none");
  private readonly count = byId("letters-count");
  private readonly said = byId("letters-said");
  private readonly older = byId<HTMLButtonElement>("letters-older");
  private readonly leaving = new AbortController();

  constructor(private readonly actions: LetterActions) {
    this.list = new KeyedList(byId("letters"), { keyOf: ({ id }) => id, make: (letter) => this.make(letter) });
    this.older.addEventListener("click", () => actions.older(), this.leaving);
  }

  show({ letters, total, next_cursor }: Letters): void {
    this.none.hidden = total > 0;
    this.count.textContent = String(total);
    this.list.show(letters);
    setHidden(this.older, next_cursor === null, () => this.list.last?.querySelector("summary"));
  }

  close(): void {
    this.leaving.abort();
    this.list.show([]);
    this.said.textContent = "";
  }

  private make(letter: Letter): HTMLElement {
    const { id, at_ms, origin, field, reason, body, size } = letter;
    const attributes = Object.entries(letter.attributes).map(([name, value]) => `ce-${name}: ${value}\n`);
    const rest = size > new TextEncoder().encode(body).length ? `\n… ${size} bytes in all` : "";
    return el(
      "li",
      { class: "letter", "data-letter": id },
      el(
        "details",
        {},
        el(
          "summary",
          {},
          el("span", { class: "reason" }, field === "" ? reason : `${field}: ${reason}`),
          el("span", { class: "hint" }, `${origin}, ${clock(READER, at_ms, Date.now())}`),
        ),
        el("p", { class: "hint" }, el("code", {}, id)),
        el("pre", { tabindex: 0, "aria-label": `The bytes of ${id}` }, attributes.join("") + body + rest),
        el(
          "p",
          { class: "letter-acts" },
          el("button", { class: "quiet", type: "button", click: () => void this.act("retry", id) }, "Try again"),
          this.dropButton(id),
        ),
      ),
    );
  }

  /** Dropping cannot be undone: the first press asks, the second does it. */
  private dropButton(id: string): HTMLElement {
    const button = el("button", { class: "quiet danger", type: "button" }, "Drop");
    button.addEventListener("click", () => {
      if (button.dataset["asked"] === "true") void this.act("drop", id);
      else {
        button.dataset["asked"] = "true";
        button.textContent = "Drop for good?";
      }
    });
    button.addEventListener("blur", () => {
      delete button.dataset["asked"];
      button.textContent = "Drop";
    });
    return button;
  }

  private async act(what: "retry" | "drop", id: string): Promise<void> {
    try {
      const [result] = await this.actions.act(what, [id]);
      this.said.textContent = result === undefined ? "" : `${id}: ${result.done ? "" : "not done: "}${result.outcome}`;
      if (result?.done === true) byId("letters-title").focus();
    } catch (problem) {
      this.said.textContent = `${id}: not done: ${(problem as Error).message}`;
    }
  }
}
