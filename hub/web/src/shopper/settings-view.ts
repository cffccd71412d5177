/** The settings: what may reach the person and when, and their devices. Each change is saved as it is made. */

import { byId, el, icon } from "../shared/dom";
import type { Reader } from "../shared/format";
import { DevicesView } from "./devices-view";
import { type Change, type Preferences, type Rpc, Settings } from "./settings";
import { type Part, quietPart, snoozePart, switchesPart } from "./settings-parts";
import type { SettingsWords } from "./words/settings";

export class SettingsView {
  private readonly dialog = byId<HTMLDialogElement>("settings");
  private readonly opener = byId<HTMLButtonElement>("open-settings");
  private readonly status = el("p", { class: "settings-status", role: "status" });
  private readonly content = el("div", { class: "settings-content" });
  private readonly settings: Settings;
  private readonly devices: DevicesView;
  private readonly leaving = new AbortController();
  private parts: readonly Part[] = [];
  private known: Preferences | null = null;
  /** Done when all that was changed so far is saved, or refused. */
  private saving = Promise.resolve();
  private waiting = 0;
  private refused = false;

  constructor(
    private readonly words: SettingsWords,
    private readonly reader: Reader,
    rpc: Rpc,
  ) {
    this.settings = new Settings(rpc);
    this.devices = new DevicesView(words, reader, this.settings, (saved) => this.say(saved));
    const { signal } = this.leaving;
    this.opener.addEventListener("click", () => void this.open(), { signal });
    // A press beside the dialog closes it, as people expect on a phone.
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close(), { signal });
    this.dialog.replaceChildren(el("div", { class: "settings-frame" }, this.head(), this.status, this.content));
  }

  close(): void {
    this.leaving.abort();
    this.dialog.close();
    this.dialog.replaceChildren();
  }

  private async open(): Promise<void> {
    this.content.replaceChildren(el("p", { class: "hint" }, this.words.loading));
    this.status.textContent = "";
    this.dialog.showModal();
    try {
      await this.saving;
      const [preferences] = await Promise.all([this.settings.preferences(), this.devices.load()]);
      this.show(preferences);
    } catch {
      this.content.replaceChildren(el("p", { class: "problem", role: "alert" }, this.words.failed));
    }
  }

  private head(): HTMLElement {
    const close = el("button", { class: "icon-button", type: "button", "aria-label": this.words.close }, icon("cross"));
    close.addEventListener("click", () => this.dialog.close());
    return el("div", { class: "settings-head" }, el("h2", { id: "settings-title" }, this.words.title), close);
  }

  private show(preferences: Preferences): void {
    const { words } = this;
    const save = (change: Change) => this.save(change);
    this.known = preferences;
    this.parts = [
      switchesPart(words, save, preferences),
      quietPart(words, save),
      snoozePart(words, this.reader, save),
    ];
    this.content.replaceChildren(...this.parts.map(({ element }) => element), this.devices.part);
    this.showKnown();
  }

  private showKnown(): void {
    for (const part of this.parts) if (this.known !== null) part.show(this.known);
  }

  private say(saved: boolean): void {
    this.status.dataset["saved"] = String(saved);
    this.status.textContent = "";
    // Emptied first, so that the same word is read out again.
    requestAnimationFrame(() => (this.status.textContent = saved ? this.words.saved : this.words.notSaved));
  }

  /** One after the other: the hub takes the calls of a connection side by side, so that an older one could win. */
  private save(change: Change): void {
    this.waiting += 1;
    this.saving = this.saving.then(() => this.saveNext(change));
  }

  /** Nothing is shown before the last change is answered: what is still to be saved must not go back. */
  private async saveNext(change: Change): Promise<void> {
    try {
      this.known = await this.settings.change(change);
    } catch {
      this.refused = true;
    }
    this.waiting -= 1;
    if (this.waiting > 0) return;
    this.showKnown();
    this.say(!this.refused);
    this.refused = false;
  }
}
