/** The parts of the settings that follow a person's preferences. Each is made once and brought up to date in place. */

import { el, tell } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import { type Change, NEVER, NIGHT, type Preferences, agreement, channelsOf, isStopped } from "./settings";
import type { SettingsWords } from "./words/settings";

/** A part of the page, and how it is brought in line with what holds. */
export interface Part {
  readonly element: HTMLElement;
  show(preferences: Preferences): void;
}

type Save = (change: Change) => void;

const HOUR_MS = 3_600_000;
const SNOOZES: readonly (readonly ["hour" | "day", number])[] = [
  ["hour", 1],
  ["hour", 8],
  ["day", 1],
  ["day", 7],
];

interface Switch {
  readonly label: string;
  readonly on: (preferences: Preferences) => boolean;
  /** Why it cannot be switched on; nothing where it can. */
  readonly stopped: (preferences: Preferences) => string;
  readonly change: (on: boolean) => Change;
}

/** What may reach a person on which channel; of news and offers nothing without a yes. */
export function switchesPart(words: SettingsWords, save: Save, preferences: Preferences): Part {
  const channels = channelsOf(preferences);
  const made: Part[] = [];
  const row = (title: string, switchOf: (channel: string) => Omit<Switch, "label">) => {
    const cells = channels.map((channel) => {
      const label = words.cell(title, words.channel[channel] ?? channel);
      return switchPart({ label, ...switchOf(channel) }, save);
    });
    made.push(...cells);
    return el("tr", {}, el("th", { scope: "row" }, title), ...cells.map(({ element }) => el("td", {}, element)));
  };
  const answered = ({ own_stops }: Preferences, channel: string) => (channel in own_stops ? words.answeredStop : "");
  const rows = Object.keys(preferences.categories).map((category) =>
    row(words.category[category] ?? category, (channel) => ({
      on: ({ categories }) => categories[category]?.[channel] === true,
      stopped: (now) => (isStopped(now, category, channel) ? words.stopped : answered(now, channel)),
      change: (on) => ({ switches: { [category]: { [channel]: on } } }),
    })),
  );
  const news = row(words.news, (channel) => ({
    on: ({ consent }) => consent[channel]?.granted === true,
    stopped: (now) => answered(now, channel),
    change: (granted) => ({ consent: { [channel]: agreement(granted) } }),
  }));
  const ownStop = el("p", { class: "hint" });
  const head = channels.map((channel) => el("th", { scope: "col" }, words.channel[channel] ?? channel));
  const element = el(
    "section",
    { "aria-labelledby": "settings-what" },
    el("h3", { id: "settings-what" }, words.what),
    el("p", { class: "hint" }, words.whatHint),
    el(
      "table",
      {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, words.topic), ...head)),
      el("tbody", {}, ...rows, news),
    ),
    ownStop,
    el("p", { class: "hint" }, words.newsHint),
  );
  const show = (now: Preferences) => {
    for (const each of made) each.show(now);
    tell(ownStop, channels.map((channel) => answered(now, channel)).find(Boolean) ?? "");
    ownStop.hidden = ownStop.textContent === "";
  };
  return { element, show };
}

function switchPart({ label, on, stopped, change }: Switch, save: Save): Part {
  const box = el("input", { type: "checkbox", class: "switch", "aria-label": label });
  box.addEventListener("change", () => save(change(box.checked)));
  const show = (preferences: Preferences) => {
    box.checked = on(preferences);
    box.title = stopped(preferences);
    box.disabled = box.title !== "";
  };
  return { element: box, show };
}

/** When a person is not to be disturbed. */
export function quietPart(words: SettingsWords, save: Save): Part {
  const box = el("input", { type: "checkbox", class: "switch", id: "quiet-on" });
  const [start, end] = (["start", "end"] as const).map((name) =>
    el("input", { type: "time", id: `quiet-${name}`, required: true }),
  ) as [HTMLInputElement, HTMLInputElement];
  box.addEventListener("change", () => save({ quiet_hours: box.checked ? NIGHT : NEVER }));
  for (const input of [start, end]) {
    input.addEventListener("change", () => {
      if (start.value !== "" && end.value !== "") save({ quiet_hours: { start: start.value, end: end.value } });
    });
  }
  const times = el(
    "p",
    { class: "settings-row" },
    el("label", {}, `${words.from} `, start),
    el("label", {}, `${words.until} `, end),
  );
  const hint = el("p", { class: "hint" });
  const element = el(
    "section",
    { "aria-labelledby": "settings-quiet" },
    el("h3", { id: "settings-quiet" }, words.quiet),
    el("p", { class: "settings-row" }, box, el("label", { for: "quiet-on" }, words.quietOn)),
    times,
    hint,
  );
  const show = ({ in_force: { quiet_hours: hours, time_zone: zone } }: Preferences) => {
    box.checked = hours !== null;
    times.hidden = hours === null;
    // Setting what is there already would take away the digits that are being typed.
    if (start.value !== hours?.start) start.value = hours?.start ?? "";
    if (end.value !== hours?.end) end.value = hours?.end ?? "";
    tell(hint, words.quietHint(zone));
  };
  return { element, show };
}

/** Nothing but what cannot wait, for a while. */
export function snoozePart(words: SettingsWords, reader: Reader, save: Save): Part {
  const until = el("span", { id: "snoozed-until" });
  const resume = chip(words.resume, () => save({ snoozed_until_ms: null }));
  const starts = SNOOZES.map(([unit, count]) => {
    const lengthMs = count * HOUR_MS * (unit === "day" ? 24 : 1);
    return chip(words[unit](count), () => save({ snoozed_until_ms: Date.now() + lengthMs }));
  });
  const running = group("snoozed-until", until, resume);
  const choice = group("snooze-for", el("span", { id: "snooze-for" }, words.snoozeFor), ...starts);
  const element = el(
    "section",
    { "aria-labelledby": "settings-snooze" },
    el("h3", { id: "settings-snooze" }, words.snooze),
    running,
    choice,
  );
  const show = ({ snoozed_until_ms: untilMs }: Preferences) => {
    const now = Date.now();
    const held = element.contains(document.activeElement);
    running.hidden = untilMs <= now;
    choice.hidden = !running.hidden;
    tell(until, running.hidden ? "" : words.snoozed(clock(reader, untilMs, now)));
    // What was pressed may be gone; its counterpart has taken its place.
    if (held) (running.hidden ? starts[0] : resume)?.focus();
  };
  return { element, show };
}

function group(labelId: string, ...children: readonly HTMLElement[]): HTMLElement {
  return el("div", { class: "settings-row", role: "group", "aria-labelledby": labelId }, ...children);
}

function chip(text: string, press: () => void): HTMLElement {
  return el("button", { type: "button", class: "chip", click: press }, text);
}
