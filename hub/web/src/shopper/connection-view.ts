/** The line that says how the connection is doing, with the countdown to the next try. */

import { byId, setHidden, tell } from "../shared/dom";
import type { Condition, Return } from "./live";
import type { Words } from "./words";

const NOTE_MS = 8_000;
const TICK_MS = 250;

export class ConnectionView {
  private readonly pill = byId("connection");
  private readonly text = byId("connection-text");
  private readonly countdown = byId("connection-countdown");
  private readonly retry = byId<HTMLButtonElement>("retry");
  private readonly note = byId("connection-note");
  private readonly leaving = new AbortController();
  private ticking: ReturnType<typeof setInterval> | undefined;
  private fading: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly words: Words,
    onRetry: () => void,
  ) {
    this.retry.textContent = words.retryNow;
    this.retry.addEventListener("click", onRetry, { signal: this.leaving.signal });
  }

  show(condition: Condition): void {
    clearInterval(this.ticking);
    this.countdown.textContent = "";
    this.pill.dataset["is"] = condition.is;
    tell(this.text, this.describe(condition));
    const standing = condition.is === "connected" || condition.is === "connecting";
    setHidden(this.retry, standing, () => byId("open-settings"));
    if (condition.is === "offline" && condition.retryAtMs !== null) this.countDown(condition.retryAtMs);
  }

  /** Tell that the connection is back, and what came of what was missed. */
  welcomeBack({ complete, missed }: Return): void {
    this.note.textContent = complete ? this.words.recovered(missed) : this.words.reloaded;
    clearTimeout(this.fading);
    this.fading = setTimeout(() => (this.note.textContent = ""), NOTE_MS);
  }

  close(): void {
    this.leaving.abort();
    clearInterval(this.ticking);
    clearTimeout(this.fading);
    this.note.textContent = "";
  }

  private describe(condition: Condition): string {
    switch (condition.is) {
      case "connecting":
        return this.words.connecting;
      case "connected":
        return this.words.connected;
      case "offline":
        return this.words.offline;
      case "closed":
        return this.words.signedOutByHub;
    }
  }

  /** The seconds are not read out: they would never stop. */
  private countDown(retryAtMs: number): void {
    const tick = () => {
      const seconds = Math.ceil((retryAtMs - Date.now()) / 1_000);
      this.countdown.textContent = seconds > 0 ? this.words.retryIn(seconds) : "";
    };
    tick();
    this.ticking = setInterval(tick, TICK_MS);
  }
}
