/** The settings: what may reach the person and when, and their devices. Each change is saved as it is made. */

import { byId, el, icon } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import { DevicesView } from "./devices-view";
import { type Change, NEVER, NIGHT, type Preferences, type Rpc, Settings, channelsOf, isStopped } from "./settings";
import type { SettingsWords } from "./words/settings";

const HOUR_MS = 3_600_000;
const SNOOZES: readonly (readonly ["hour" | "day", number])[] = [
  ["hour", 1],
  ["hour", 8],
  ["day", 1],
  ["day", 7],
];
const NEWS = "news";

export class SettingsView {
  private readonly dialog = byId<HTMLDialogElement>("settings");
  private readonly opener = byId<HTMLButtonElement>("open-settings");
  private readonly status = el("p", { class: "settings-status", role: "status" });
  private readonly content = el("div", { class: "settings-content" });
  private readonly settings: Settings;
  private readonly devices: DevicesView;
  private readonly leaving = new AbortController();
  private known: Preferences | null = null;

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
    this.known = null;
    this.content.replaceChildren(el("p", { class: "hint" }, this.words.loading));
    this.status.textContent = "";
    this.dialog.showModal();
    try {
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

  /** Parts that keep their focus stay: what has just been pressed is found again by its name. */
  private show(preferences: Preferences): void {
    this.known = preferences;
    const name = (document.activeElement as HTMLElement | null)?.dataset["name"];
    const parts = [this.switches(preferences), this.quiet(preferences), this.snooze(preferences), this.devices.part];
    this.content.replaceChildren(...parts);
    if (name !== undefined) this.content.querySelector<HTMLElement>(`[data-name="${name}"]`)?.focus();
  }

  private say(saved: boolean): void {
    this.status.dataset["saved"] = String(saved);
    this.status.textContent = "";
    // Emptied first, so that the same word is read out again.
    requestAnimationFrame(() => (this.status.textContent = saved ? this.words.saved : this.words.notSaved));
  }

  private async save(answer: Promise<Preferences>): Promise<void> {
    try {
      this.show(await answer);
      this.say(true);
    } catch {
      if (this.known !== null) this.show(this.known); // The switches go back to what holds.
      this.say(false);
    }
  }

  private put(change: Change): void {
    void this.save(this.settings.change(change));
  }

  private switches(preferences: Preferences): HTMLElement {
    const { words } = this;
    const channels = channelsOf(preferences);
    const head = channels.map((channel) => el("th", { scope: "col" }, words.channel[channel] ?? channel));
    const rows = Object.entries(preferences.categories).map(([category, row]) => {
      const title = words.category[category] ?? category;
      const cells = channels.map((channel) =>
        this.cell(`${category}-${channel}`, words.cell(title, words.channel[channel] ?? channel), {
          on: row[channel] === true,
          stopped: isStopped(preferences, category, channel),
          change: (on) => this.put({ switches: { [category]: { [channel]: on } } }),
        }),
      );
      return el("tr", {}, el("th", { scope: "row" }, title), ...cells);
    });
    return el(
      "section",
      { "aria-labelledby": "settings-what" },
      el("h3", { id: "settings-what" }, words.what),
      el("p", { class: "hint" }, words.whatHint),
      el(
        "table",
        {},
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, words.topic), ...head)),
        el("tbody", {}, ...rows, this.news(preferences, channels)),
      ),
      el("p", { class: "hint" }, words.newsHint),
    );
  }

  /** News and offers: nothing without a yes, channel by channel. */
  private news(preferences: Preferences, channels: readonly string[]): HTMLElement {
    const { words } = this;
    const cells = channels.map((channel) =>
      this.cell(`${NEWS}-${channel}`, words.cell(words.news, words.channel[channel] ?? channel), {
        on: preferences.consent[channel]?.granted === true,
        stopped: false,
        change: (granted) => void this.save(this.settings.agree(channel, granted)),
      }),
    );
    return el("tr", {}, el("th", { scope: "row" }, words.news), ...cells);
  }

  private cell(
    name: string,
    label: string,
    { on, stopped, change }: { readonly on: boolean; readonly stopped: boolean; readonly change: (on: boolean) => void },
  ): HTMLElement {
    const box = el("input", { type: "checkbox", class: "switch", "data-name": name, "aria-label": label });
    box.checked = on;
    box.disabled = stopped;
    if (stopped) box.title = this.words.stopped;
    box.addEventListener("change", () => change(box.checked));
    return el("td", {}, box);
  }

  private quiet({ in_force: { quiet_hours: hours, time_zone: zone } }: Preferences): HTMLElement {
    const { words } = this;
    const box = el("input", { type: "checkbox", class: "switch", id: "quiet-on", "data-name": "quiet" });
    box.checked = hours !== null;
    box.addEventListener("change", () => this.put({ quiet_hours: box.checked ? NIGHT : NEVER }));
    const times = (["start", "end"] as const).map((end) => {
      const input = el("input", { type: "time", id: `quiet-${end}`, required: true, "data-name": `quiet-${end}` });
      input.value = hours?.[end] ?? "";
      input.addEventListener("change", () => {
        if (hours !== null && input.value !== "") this.put({ quiet_hours: { ...hours, [end]: input.value } });
      });
      return el("label", {}, `${end === "start" ? words.from : words.until} `, input);
    });
    return el(
      "section",
      { "aria-labelledby": "settings-quiet" },
      el("h3", { id: "settings-quiet" }, words.quiet),
      el("p", { class: "settings-row" }, box, el("label", { for: "quiet-on" }, words.quietOn)),
      hours === null ? null : el("p", { class: "settings-row" }, ...times),
      el("p", { class: "hint" }, words.quietHint(zone)),
    );
  }

  private snooze({ snoozed_until_ms: until }: Preferences): HTMLElement {
    const { words } = this;
    const now = Date.now();
    const active = until > now;
    const body = active
      ? [
          el("span", {}, words.snoozed(clock(this.reader, until, now))),
          this.button(words.resume, "resume", () => this.put({ snoozed_until_ms: null })),
        ]
      : [
          el("span", { id: "snooze-for" }, words.snoozeFor),
          ...SNOOZES.map(([unit, count]) => {
            const lengthMs = count * HOUR_MS * (unit === "day" ? 24 : 1);
            const start = () => this.put({ snoozed_until_ms: Date.now() + lengthMs });
            return this.button(words[unit](count), `snooze-${unit}-${count}`, start);
          }),
        ];
    const label = active ? "settings-snooze" : "snooze-for";
    return el(
      "section",
      { "aria-labelledby": "settings-snooze" },
      el("h3", { id: "settings-snooze" }, words.snooze),
      el("div", { class: "settings-row", role: "group", "aria-labelledby": label }, ...body),
    );
  }

  private button(text: string, name: string, press: () => void): HTMLElement {
    return el("button", { type: "button", class: "chip", "data-name": name, click: press }, text);
  }
}
