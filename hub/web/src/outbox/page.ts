/** The outbox of the stand-ins: what Doorbell would have sent, with a preview of each mail. */

import { arrange, byId, el } from "../shared/dom";
import { clock } from "../shared/format";
import { call } from "../shared/http";
import { type Mail, mailsFrom } from "./mail";

const REFRESH_MS = 1_500;
const LOCALE = navigator.language;

const list = byId("mails");
const items = new Map<string, HTMLLIElement>();
let mails: readonly Mail[] = [];
let chosen: string | null = null;

async function refresh(): Promise<void> {
  try {
    const answer = await call("/demo/outbox");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    mails = mailsFrom(answer.body);
    byId("outbox-problem").textContent = "";
  } catch {
    byId("outbox-problem").textContent = "The hub does not answer. This list is from before; it goes on by itself.";
  }
  show();
}

function show(): void {
  byId("outbox-empty").hidden = mails.length > 0;
  byId("outbox-count").textContent = mails.length === 1 ? "1 mail" : `${mails.length} mails`;
  arrange(list, mails.map(item));
  for (const id of items.keys()) if (!mails.some((mail) => mail.id === id)) items.delete(id);
}

function item(mail: Mail): HTMLLIElement {
  const made = items.get(mail.id) ?? make(mail);
  made.querySelector("button")?.setAttribute("aria-current", String(mail.id === chosen));
  return made;
}

function make(mail: Mail): HTMLLIElement {
  const at = new Date(mail.atMs);
  const made = el(
    "li",
    { class: "mail" },
    el(
      "button",
      { class: "mail-open", type: "button", click: () => choose(mail) },
      el("span", { class: "mail-to" }, mail.to),
      el("time", { class: "mail-time", datetime: at.toISOString() }, clock(LOCALE, mail.atMs, Date.now())),
      el("span", { class: "mail-subject" }, mail.subject),
    ),
  );
  items.set(mail.id, made);
  return made;
}

function choose(mail: Mail): void {
  chosen = mail.id;
  byId("preview-subject").textContent = mail.subject;
  byId("preview-to").textContent = mail.to;
  byId("preview-from").textContent = mail.from;
  byId("preview-text").textContent = mail.text;
  byId<HTMLIFrameElement>("preview-html").src = mail.htmlPath;
  open(true);
  view("html");
  show();
  byId("preview-subject").focus();
}

/** On a phone the mail takes the place of the list. */
function open(isOpen: boolean): void {
  byId("outbox").dataset["open"] = String(isOpen);
  byId("preview").hidden = !isOpen;
  byId("preview-hint").hidden = isOpen;
}

function back(): void {
  const id = chosen;
  chosen = null;
  open(false);
  show();
  if (id !== null) items.get(id)?.querySelector("button")?.focus();
}

function view(which: "html" | "text"): void {
  byId("preview-html").hidden = which !== "html";
  byId("preview-text").hidden = which !== "text";
  byId("view-html").setAttribute("aria-pressed", String(which === "html"));
  byId("view-text").setAttribute("aria-pressed", String(which === "text"));
}

/** Ask again while somebody is looking; one question at a time. */
async function keepFresh(): Promise<never> {
  for (;;) {
    if (document.visibilityState === "visible") await refresh();
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
  }
}

byId("view-html").addEventListener("click", () => view("html"));
byId("view-text").addEventListener("click", () => view("text"));
byId("back").addEventListener("click", back);
void keepFresh();
