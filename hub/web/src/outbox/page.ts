/** The outbox of the stand-ins: what Doorbell would have sent, with a preview of each message. */

import { byId, el, icon, tell } from "../shared/dom";
import { READER, clock } from "../shared/format";
import { keepFresh } from "../shared/fresh";
import { call } from "../shared/http";
import { KeyedList } from "../shared/keyed-list";
import { Preview } from "./preview";
import { type Kind, type Sent, mailsFrom, newestFirst, pushesFrom, textsFrom } from "./sent";

const REFRESH_MS = 1_500;
const KINDS: Readonly<Record<Kind, { readonly name: string; readonly icon: string }>> = {
  mail: { name: "Mail", icon: "mail" },
  push: { name: "Push", icon: "phone" },
  text: { name: "Text", icon: "chat" },
};

type Filter = Kind | "all";

const list = new KeyedList(byId("mails"), { keyOf: ({ key }: Sent) => key, make });
const preview = new Preview(back);
/** Null until the hub has told. */
let sent: readonly Sent[] | null = null;
let chosen: string | null = null;
let filter: Filter = "all";

async function refresh(): Promise<void> {
  try {
    const [mails, pushes, texts] = await Promise.all(["outbox", "pushes", "texts"].map(listing));
    sent = newestFirst(mailsFrom(mails), pushesFrom(pushes), textsFrom(texts));
    tell(byId("outbox-problem"), "");
  } catch {
    const shown = sent === null ? "Its list comes as soon as it does." : "What stands here is from before; it goes on by itself.";
    tell(byId("outbox-problem"), `The hub does not answer. ${shown}`);
  }
  show();
}

async function listing(what: string): Promise<unknown> {
  const answer = await call(`/demo/${what}`);
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  return answer.body;
}

function show(): void {
  if (sent === null) return;
  const wanted = sent.filter(({ kind }) => filter === "all" || kind === filter);
  byId("outbox-empty").hidden = wanted.length > 0;
  tell(byId("outbox-count"), String(wanted.length));
  list.show(wanted);
  for (const { key } of wanted) opener(key)?.setAttribute("aria-current", String(key === chosen));
}

function opener(key: string): HTMLElement | null {
  return list.get(key)?.querySelector("button") ?? null;
}

function make(message: Sent): HTMLElement {
  const at = new Date(message.atMs);
  const kind = KINDS[message.kind];
  return el(
    "li",
    { class: "mail", "data-kind": message.kind },
    el(
      "button",
      { class: "mail-open", type: "button", click: () => choose(message) },
      el("span", { class: "mail-kind" }, icon(kind.icon), el("span", { class: "visually-hidden" }, `${kind.name} to `)),
      el("span", { class: "mail-to" }, message.to),
      el("time", { class: "mail-time", datetime: at.toISOString() }, clock(READER, message.atMs, Date.now())),
      el("span", { class: "mail-subject", dir: "auto" }, message.title),
    ),
  );
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
  // The message may have left the list meanwhile.
  (opener(key ?? "") ?? byId("mails-title")).focus();
}

function pick(button: HTMLButtonElement): void {
  filter = button.value as Filter;
  for (const other of filters) other.setAttribute("aria-pressed", String(other === button));
  show();
}

const filters = [...byId("filters").querySelectorAll("button")];
for (const button of filters) button.addEventListener("click", () => pick(button));
void keepFresh(refresh, REFRESH_MS);
