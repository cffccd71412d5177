/** How every provider is, by delivery worker. */

import { byId, el } from "../shared/dom";
import { KeyedList } from "../shared/keyed-list";
import type { Provider, ProviderState, Worker } from "./api";

const STATES: Readonly<Record<ProviderState, string>> = { well: "Well", paused: "Paused", failing: "Failing" };
const OUTCOMES: readonly string[] = ["taken", "refused", "impossible", "unknown"];
const MINUTE_S = 60;

export class HealthView {
  /** Made again only where it would look different, so that what is selected stays so. */
  private readonly list = new KeyedList(byId("workers"), { keyOf: looks, make: workerItem });
  private readonly none = byId("workers-none");
  private readonly announcer = byId("announcer");
  private known = new Map<string, ProviderState>();

  show(workers: readonly Worker[]): void {
    this.none.hidden = workers.length > 0;
    this.list.show(workers);
    this.announce(workers);
  }

  /** Say what has changed to who cannot see it; the first look says nothing. */
  private announce(workers: readonly Worker[]): void {
    const now = new Map<string, ProviderState>();
    for (const worker of workers) {
      for (const { name, state } of worker.providers) now.set(`${name} of ${worker.name}`, state);
    }
    const changed = [...now].filter(([name, state]) => (this.known.get(name) ?? state) !== state);
    if (changed.length > 0) {
      this.announcer.textContent = changed.map(([name, state]) => `${name}: ${STATES[state]}`).join(". ");
    }
    this.known = now;
  }
}

function looks(worker: Worker): string {
  return JSON.stringify({ ...worker, uptime: duration(worker.uptime) });
}

function workerItem({ name, version, uptime, channels, providers }: Worker): HTMLElement {
  const bare = channels.filter((channel) => !providers.some((provider) => provider.channel === channel));
  return el(
    "li",
    { class: "worker" },
    el("h3", {}, name),
    el("p", { class: "hint" }, `Version ${version}, up for ${duration(uptime)}`),
    providers.length === 0 && bare.length === 0
      ? el("p", {}, "No channel is configured: every step is passed over.")
      : el("ul", { class: "providers" }, ...providers.map(providerItem), ...bare.map(bareItem)),
  );
}

function providerItem(provider: Provider): HTMLElement {
  const { channel, name, state, rests_s, calls, under_way, per_second } = provider;
  const sum = Object.values(calls).reduce((all, count) => all + count, 0);
  const pace = per_second > 0 ? `at most ${per_second}/s` : "no bound";
  return el(
    "li",
    { class: "provider", "data-state": state, "data-provider": name },
    el(
      "div",
      { class: "provider-head" },
      el("span", { class: "provider-name" }, el("strong", {}, name), el("span", { class: "hint" }, ` ${channel}`)),
      el("span", { class: "state" }, STATES[state]),
    ),
    rests_s > 0 ? el("p", { class: "provider-rest" }, `Left alone for another ${Math.ceil(rests_s)} s`) : null,
    el("div", { class: "bar", "aria-hidden": "true" }, ...OUTCOMES.map((outcome) => segment(outcome, calls, sum))),
    el("p", { class: "hint" }, `Last minute: ${described(calls, sum)}. ${under_way} under way, ${pace}.`),
  );
}

function described(calls: Readonly<Record<string, number>>, sum: number): string {
  if (sum === 0) return "no calls";
  const parts = OUTCOMES.filter((outcome) => calls[outcome]).map((outcome) => `${calls[outcome]} ${outcome}`);
  return `${parts.join(", ")} (${(sum / MINUTE_S).toFixed(1)}/s)`;
}

function segment(outcome: string, calls: Readonly<Record<string, number>>, sum: number): HTMLElement {
  const part = el("span", { "data-outcome": outcome });
  // Set by script: the page's policy lets no style attribute be parsed.
  part.style.flexGrow = String(sum === 0 ? 0 : (calls[outcome] ?? 0) / sum);
  return part;
}

function bareItem(channel: string): HTMLElement {
  const text = "A channel of this installation's own: it tells nothing about its providers.";
  return el("li", { class: "provider" }, el("strong", {}, channel), el("p", { class: "hint" }, text));
}

export function duration(seconds: number): string {
  const steps: readonly (readonly [number, string])[] = [
    [86_400, "d"],
    [3_600, "h"],
    [60, "min"],
  ];
  const step = steps.find(([length]) => seconds >= length);
  return step === undefined ? `${Math.round(seconds)} s` : `${Math.floor(seconds / step[0])} ${step[1]}`;
}
