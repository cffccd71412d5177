/** The name plate at the top: who is signed in, and the bell that rings and counts. */

import type { Person } from "../shared/demo";
import { byId } from "../shared/dom";
import type { Words } from "./words";

const MAX_COUNT = 99;

export class Plate {
  private readonly bell = byId("bell");
  private readonly number = byId("bell-count");
  private readonly announcer = byId("announcer");
  private readonly pageTitle = document.title;
  private readonly leaving = new AbortController();

  constructor(
    person: Person,
    private readonly words: Words,
  ) {
    byId("person-name").textContent = person.name;
    this.bell.addEventListener("animationend", () => this.bell.classList.remove("ringing"), this.leaving);
    this.count(0);
  }

  count(unread: number): void {
    this.number.textContent = unread > MAX_COUNT ? `${MAX_COUNT}+` : String(unread);
    this.bell.classList.toggle("lit", unread > 0);
    this.bell.setAttribute("aria-label", this.words.unread(unread));
    this.bell.dataset["unread"] = String(unread);
    document.title = unread > 0 ? `(${unread}) ${this.pageTitle}` : this.pageTitle;
  }

  /** Ring, and say the title to who cannot see it. */
  ring(title: string): void {
    this.bell.classList.remove("ringing");
    void this.bell.offsetWidth; // Starts the animation again where it is still running.
    this.bell.classList.add("ringing");
    this.announcer.textContent = this.words.arrived(title);
  }

  close(): void {
    this.leaving.abort();
    this.announcer.textContent = "";
    document.title = this.pageTitle;
  }
}
