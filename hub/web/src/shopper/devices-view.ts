/** The devices that get a person's pushes, and how to remove one. */

import { el } from "../shared/dom";
import { type Reader, clock } from "../shared/format";
import type { Device, Settings } from "./settings";
import type { SettingsWords } from "./words/settings";

const PLATFORMS: Readonly<Record<string, string>> = { android: "Android", ios: "iOS", web: "Web" };

export class DevicesView {
  /** The part of the page, to be put where it belongs. */
  readonly part: HTMLElement;
  private readonly list = el("ul", { class: "devices" });
  private readonly title: HTMLElement;

  constructor(
    private readonly words: SettingsWords,
    private readonly reader: Reader,
    private readonly settings: Settings,
    private readonly said: (saved: boolean) => void,
  ) {
    this.title = el("h3", { id: "settings-devices", tabindex: -1 }, words.devices);
    this.part = el("section", { "aria-labelledby": "settings-devices" }, this.title, this.list);
  }

  async load(): Promise<void> {
    this.show(await this.settings.devices());
  }

  private show(devices: readonly Device[]): void {
    this.list.replaceChildren(...devices.map((device) => this.item(device)));
    if (devices.length === 0) this.list.append(el("li", { class: "hint" }, this.words.noDevices));
  }

  private item({ id, app, platform, seen_ms }: Device): HTMLElement {
    const { words } = this;
    const name = app === "" ? (PLATFORMS[platform] ?? platform) : app;
    const seen = words.seen(PLATFORMS[platform] ?? platform, clock(this.reader, seen_ms, Date.now()));
    return el(
      "li",
      { class: "device", "data-device": name },
      el("span", { class: "device-text" }, el("bdi", {}, name), el("span", { class: "hint" }, seen)),
      el(
        "button",
        { type: "button", class: "quiet", "aria-label": words.removeDevice(name), click: () => void this.remove(id) },
        words.remove,
      ),
    );
  }

  private async remove(id: string): Promise<void> {
    try {
      await this.settings.forget(id);
      await this.load();
      this.title.focus();
      this.said(true);
    } catch {
      this.said(false);
    }
  }
}
