/** The chosen message as its receiver sees it: a mail to read, or a push or a text on a phone. */

import { byId } from "../shared/dom";
import { READER, clock } from "../shared/format";
import type { Sent } from "./sent";

type View = "html" | "text";

export class Preview {
  private readonly outbox = byId("outbox");
  private readonly article = byId("preview");
  private readonly hint = byId("preview-hint");
  private readonly frame = byId<HTMLIFrameElement>("preview-html");

  constructor(onBack: () => void) {
    byId("view-html").addEventListener("click", () => this.view("html"));
    byId("view-text").addEventListener("click", () => this.view("text"));
    byId("back").addEventListener("click", onBack);
  }

  show(sent: Sent): void {
    byId("preview-subject").textContent = sent.kind === "text" ? "A text message" : sent.title;
    byId("preview-to").textContent = sent.to;
    this.letterhead(sent);
    byId("preview-mail").hidden = sent.kind !== "mail";
    byId("preview-phone").hidden = sent.kind === "mail";
    if (sent.kind === "mail") {
      byId("preview-text").textContent = sent.text;
      this.frame.src = sent.htmlPath;
      this.view("html");
    } else this.phone(sent);
    this.open(true);
    byId("preview-subject").focus();
  }

  hide(): void {
    this.open(false);
  }

  /** On a phone the message takes the place of the list. */
  private open(isOpen: boolean): void {
    this.outbox.dataset["open"] = String(isOpen);
    this.article.hidden = !isOpen;
    this.hint.hidden = isOpen;
  }

  private letterhead(sent: Sent): void {
    byId("preview-from-label").textContent = sent.kind === "push" ? "Device" : "From";
    byId("preview-from").textContent = sent.kind === "push" ? sent.device : sent.from;
    byId("preview-link-row").hidden = sent.kind !== "push" || sent.link === "";
    byId("preview-link").textContent = sent.kind === "push" ? sent.link : "";
  }

  private phone(sent: Sent & { readonly kind: "push" | "text" }): void {
    const badge = sent.kind === "push" ? sent.badge : null;
    byId("phone").dataset["kind"] = sent.kind;
    byId("phone-time").textContent = clock(READER, sent.atMs, sent.atMs);
    byId("phone-app").textContent = sent.kind === "push" ? "Doorbell" : sent.from;
    byId("phone-badge").hidden = badge === null;
    byId("phone-badge-count").textContent = String(badge ?? "");
    byId("phone-title").hidden = sent.kind === "text";
    byId("phone-title").textContent = sent.kind === "text" ? "" : sent.title;
    byId("phone-text").textContent = sent.text;
  }

  private view(which: View): void {
    this.frame.hidden = which !== "html";
    byId("preview-text").hidden = which !== "text";
    byId("view-html").setAttribute("aria-pressed", String(which === "html"));
    byId("view-text").setAttribute("aria-pressed", String(which === "text"));
  }
}
