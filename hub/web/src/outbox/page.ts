/** The outbox of the stand-ins: what Doorbell would have sent, with a preview of each mail. */

import { arrange, byId, el } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import { call } from "../shared/http";
import { type Listing, type Mail, listingFrom } from "./mail";

const REFRESH_MS = 1_500;
const READER: Reader = { locale: navigator.language, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };

const list = byId("mails");
const items = new Map<string, HTMLLIElement>();
let listing: Listing = { mails: [], total: 0 };
let chosen: string | null = null;

async function refresh(): Promise<void> {
  try {
    const answer = await call("/demo/outbox");
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    listing = listingFrom(answer.body);
    tell(byId("outbox-problem"), "");
  } catch {
    tell(byId("outbox-problem"), "The hub does not answer. This list is from before; it goes on by itself.");
  }
  show();
}

function show(): void {
  const { mails, total } = listing;
  byId("outbox-empty").hidden = mails.length > 0;
  tell(byId("outbox-count"), total > mails.length ? `newest ${mails.length} of ${total}` : String(total));
  arrange(list, mails.map(item));
  const listed = new Set(mails.map(({ key }) => key));
  for (const key of items.keys()) if (!listed.has(key)) items.delete(key);
}

/** Screen readers read out what changes; writing the same text again would repeat it. */
function tell(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function item(mail: Mail): HTMLLIElement {
  const made = items.get(mail.key) ?? make(mail);
  made.querySelector("button")?.setAttribute("aria-current", String(mail.key === chosen));
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
      el("time", { class: "mail-time", datetime: at.toISOString() }, clock(READER, mail.atMs, Date.now())),
      el("span", { class: "mail-subject" }, mail.subject),
    ),
  );
  items.set(mail.key, made);
  return made;
}

function choose(mail: Mail): void {
  chosen = mail.key;
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
  const key = chosen;
  chosen = null;
  open(false);
  show();
  if (key !== null) items.get(key)?.querySelector("button")?.focus();
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
