/** Dead letters: what was put aside, to look at, to try again and to drop. */

import { arrange, byId, el } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import type { Letter, LetterOutcome, Letters } from "./api";

export interface LetterActions {
  act(what: "retry" | "drop", ids: readonly string[]): Promise<readonly LetterOutcome[]>;
  older(): void;
}

export class LettersView {
  private readonly list = byId("letters");
  private readonly none = byId("letters-none");
  private readonly count = byId("letters-count");
  private readonly said = byId("letters-said");
  private readonly older = byId<HTMLButtonElement>("letters-older");
  private readonly items = new Map<string, HTMLElement>();

  constructor(
    private readonly reader: Reader,
    private readonly actions: LetterActions,
  ) {
    this.older.addEventListener("click", () => actions.older());
  }

  show(letters: readonly Letter[], { total, next_cursor }: Pick<Letters, "total" | "next_cursor">): void {
    this.none.hidden = total > 0;
    this.count.textContent = String(total);
    this.older.hidden = next_cursor === null;
    // What is open stays open: an item is made once.
    arrange(
      this.list,
      letters.map((letter) => this.item(letter)),
    );
    const kept = new Set(letters.map(({ id }) => id));
    for (const id of this.items.keys()) if (!kept.has(id)) this.items.delete(id);
  }

  private item(letter: Letter): HTMLElement {
    const made = this.items.get(letter.id) ?? this.make(letter);
    this.items.set(letter.id, made);
    return made;
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
          el("span", { class: "hint" }, `${origin}, ${clock(this.reader, at_ms, Date.now())}`),
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
