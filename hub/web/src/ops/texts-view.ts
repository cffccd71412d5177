/** Every text as people get it, with sample data. A mail is shown in a frame in which nothing can run. */

import { byId, el, tell } from "../shared/dom";
import type { Api, Catalog, Preview } from "./api";

const NAMES: Readonly<Record<string, string>> = { inbox: "Inbox", email: "Email", push: "Push", sms: "Text message" };

export class TextsView {
  private readonly template = byId<HTMLSelectElement>("template");
  private readonly channels = byId("channels");
  private readonly locales = byId("locales");
  private readonly frame = byId<HTMLIFrameElement>("text-html");
  private readonly problem = byId("text-problem");
  private channel = "inbox";
  private locale = "en";
  private asked = 0;
  private filled = false;
  private shown = false;
  private readonly leaving = new AbortController();

  constructor(private readonly api: Api) {
    this.template.addEventListener("change", () => void this.load(), this.leaving);
  }

  /** Ask for what is lacking; where nothing is, do nothing. Rejects where the catalog cannot be had. */
  async refresh(): Promise<void> {
    if (!this.filled) this.fill(await this.api.catalog);
    if (!this.shown) await this.load();
  }

  close(): void {
    this.leaving.abort();
    this.asked += 1; // What is still under way is not shown.
    this.fail("");
    for (const choices of [this.template, this.channels, this.locales]) choices.replaceChildren();
  }

  private fill({ templates, channels, locales }: Catalog): void {
    this.filled = true;
    this.template.replaceChildren(...templates.map((name) => el("option", { value: name }, name)));
    this.channel = channels[0] ?? this.channel;
    this.locale = locales.includes("en") ? "en" : (locales[0] ?? this.locale);
    this.choices(this.channels, channels, (name) => NAMES[name] ?? name, (name) => (this.channel = name));
    const language = new Intl.DisplayNames("en", { type: "language" });
    this.choices(this.locales, locales, (name) => language.of(name) ?? name, (name) => (this.locale = name));
  }

  private choices(
    group: HTMLElement,
    values: readonly string[],
    nameOf: (value: string) => string,
    choose: (value: string) => void,
  ): void {
    const buttons = values.map((value) => el("button", { type: "button", value }, nameOf(value)));
    const mark = () => {
      const chosen = [this.channel, this.locale];
      for (const each of buttons) each.setAttribute("aria-pressed", String(chosen.includes(each.value)));
    };
    for (const button of buttons) {
      button.addEventListener("click", () => {
        choose(button.value);
        mark();
        void this.load();
      });
    }
    group.replaceChildren(...buttons);
    mark();
  }

  /** Only the answer to the last question is shown. */
  private async load(): Promise<void> {
    const question = ++this.asked;
    try {
      const preview = await this.api.preview(this.template.value, this.channel, this.locale);
      if (question === this.asked) this.show(preview);
    } catch (problem) {
      if (question === this.asked) this.fail((problem as Error).message);
    }
  }

  private fail(text: string): void {
    this.shown = false;
    byId("text-preview").hidden = true;
    tell(this.problem, text);
  }

  private show(preview: Preview): void {
    const { channel, locale, title, body, html_path, segments, max_segments, unicode } = preview;
    this.shown = true;
    tell(this.problem, "");
    byId("text-preview").hidden = false;
    byId("text-preview").lang = locale;
    byId("text-title").textContent = title;
    byId("text-title").hidden = title === "";
    byId("text-body").textContent = body;
    byId("text-note").textContent = noteOf(channel, { segments, max_segments, unicode, html_path });
    this.frame.hidden = html_path === null;
    if (html_path !== null) this.frame.src = html_path;
    else this.frame.removeAttribute("src");
  }
}

function noteOf(
  channel: string,
  { segments, max_segments, unicode, html_path }: Pick<Preview, "segments" | "max_segments" | "unicode" | "html_path">,
): string {
  if (segments !== null) {
    const count = `${segments} ${segments === 1 ? "segment" : "segments"}, ${max_segments} at most`;
    return unicode ? `${count}. Letters beyond the GSM alphabet: a segment holds 70.` : `${count}.`;
  }
  if (channel === "email" && html_path === null) return "Set signing_secret to see the HTML as well.";
  return "";
}
