/** The outbox of the stand-ins: what Doorbell would have sent, with a preview of each message. */

import { arrange, byId, el, icon } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import { call } from "../shared/http";
import { Preview } from "./preview";
import { type Kind, type Sent, mailsFrom, newestFirst, pushesFrom, textsFrom } from "./sent";

const REFRESH_MS = 1_500;
const READER: Reader = { locale: navigator.language, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };
const KINDS: Readonly<Record<Kind, { readonly name: string; readonly icon: string }>> = {
  mail: { name: "Mail", icon: "mail" },
  push: { name: "Push", icon: "phone" },
  text: { name: "Text", icon: "chat" },
};

type Filter = Kind | "all";

const list = byId("mails");
const items = new Map<string, HTMLLIElement>();
const preview = new Preview(READER, back);
let sent: readonly Sent[] = [];
let chosen: string | null = null;
let filter: Filter = "all";

async function refresh(): Promise<void> {
  try {
    const [mails, pushes, texts] = await Promise.all(["outbox", "pushes", "texts"].map(listing));
    sent = newestFirst(mailsFrom(mails), pushesFrom(pushes), textsFrom(texts));
    tell(byId("outbox-problem"), "");
  } catch {
    tell(byId("outbox-problem"), "The hub does not answer. This list is from before; it goes on by itself.");
  }
  show();
}

async function listing(what: string): Promise<unknown> {
  const answer = await call(`/demo/${what}`);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.body;
}

function show(): void {
  const wanted = sent.filter(({ kind }) => filter === "all" || kind === filter);
  byId("outbox-empty").hidden = wanted.length > 0;
  tell(byId("outbox-count"), String(wanted.length));
  arrange(list, wanted.map(item));
  const kept = new Set(sent.map(({ key }) => key));
  for (const key of items.keys()) if (!kept.has(key)) items.delete(key);
}

/** Screen readers read out what changes; writing the same text again would repeat it. */
function tell(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function item(message: Sent): HTMLLIElement {
  const made = items.get(message.key) ?? make(message);
  made.querySelector("button")?.setAttribute("aria-current", String(message.key === chosen));
  return made;
}

function make(message: Sent): HTMLLIElement {
  const at = new Date(message.atMs);
  const kind = KINDS[message.kind];
  const made = el(
    "li",
    { class: "mail", "data-kind": message.kind },
    el(
      "button",
      { class: "mail-open", type: "button", click: () => choose(message) },
      el("span", { class: "mail-kind" }, icon(kind.icon), el("span", { class: "visually-hidden" }, `${kind.name} to `)),
      el("span", { class: "mail-to" }, message.to),
      el("time", { class: "mail-time", datetime: at.toISOString() }, clock(READER, message.atMs, Date.now())),
      el("span", { class: "mail-subject" }, message.title),
    ),
  );
  items.set(message.key, made);
  return made;
}

function choose(message: Sent): void {
  chosen = message.key;
  preview.show(message);
  show();
}

function back(): void {
  const key = chosen;
  chosen = null;
  preview.hide();
  show();
  if (key !== null) items.get(key)?.querySelector("button")?.focus();
}

function pick(button: HTMLButtonElement): void {
  filter = button.value as Filter;
  for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
  show();
}

/** Ask again while somebody is looking; one question at a time. */
async function keepFresh(): Promise<never> {
  for (;;) {
    if (document.visibilityState === "visible") await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
}

const filters = [...byId("filters").querySelectorAll("button")];
for (const button of filters) button.addEventListener("click", () => pick(button));
void keepFresh();
