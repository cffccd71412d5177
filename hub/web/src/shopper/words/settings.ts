/** The words of the settings. */

export interface SettingsWords {
  readonly title: string;
  readonly close: string;
  readonly loading: string;
  readonly failed: string;
  readonly saved: string;
  readonly notSaved: string;
  readonly what: string;
  readonly whatHint: string;
  readonly topic: string;
  readonly news: string;
  readonly newsHint: string;
  readonly stopped: string;
  readonly answeredStop: string;
  readonly cell: (category: string, channel: string) => string;
  readonly category: Readonly<Record<string, string>>;
  readonly channel: Readonly<Record<string, string>>;
  readonly quiet: string;
  readonly quietOn: string;
  readonly from: string;
  readonly until: string;
  readonly quietHint: (zone: string) => string;
  readonly snooze: string;
  readonly snoozeFor: string;
  readonly snoozed: (until: string) => string;
  readonly resume: string;
  readonly hour: (count: number) => string;
  readonly day: (count: number) => string;
  readonly devices: string;
  readonly noDevices: string;
  readonly seen: (platform: string, when: string) => string;
  readonly remove: string;
  readonly removeDevice: (name: string) => string;
}
