/** A person's preferences and devices, as the hub tells them. */

export type Rpc = <Result>(method: string, data: object) => Promise<Result>;

export interface QuietHours {
  readonly start: string;
  readonly end: string;
}

export interface Preferences {
  /** Whether a category is sent on a channel. */
  readonly categories: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  /** What the shop has stopped for everybody: channels by category, `*` for all of either. */
  readonly stopped: Readonly<Record<string, readonly string[]>>;
  /** The channels that the person has stopped with an answer, as to a text. */
  readonly own_stops: Readonly<Record<string, object>>;
  readonly in_force: { readonly quiet_hours: QuietHours | null; readonly time_zone: string };
  readonly snoozed_until_ms: number;
  /** The newest word on marketing, by channel. */
  readonly consent: Readonly<Record<string, { readonly granted: boolean }>>;
}

/** What to change; what is left out stays as it is. */
export interface Change {
  readonly switches?: Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  readonly quiet_hours?: QuietHours;
  readonly snoozed_until_ms?: number | null;
  readonly consent?: Readonly<Record<string, Consent>>;
}

interface Consent {
  readonly granted: boolean;
  readonly source: string;
  readonly wording: string;
}

export interface Device {
  readonly id: string;
  readonly platform: string;
  readonly app: string;
  readonly seen_ms: number;
}

/** Which version of the words about news and offers somebody has agreed to. Goes up when they change. */
const WORDING = "shopper-page-1";
const SOURCE = "settings";
/** Both ends the same: never quiet. */
export const NEVER: QuietHours = { start: "00:00", end: "00:00" };
export const NIGHT: QuietHours = { start: "22:00", end: "07:00" };

export class Settings {
  constructor(private readonly rpc: Rpc) {}

  preferences(): Promise<Preferences> {
    return this.rpc("preferences.get", {});
  }

  change(change: Change): Promise<Preferences> {
    return this.rpc("preferences.put", change);
  }

  async devices(): Promise<readonly Device[]> {
    return (await this.rpc<{ readonly devices: readonly Device[] }>("devices.list", {})).devices;
  }

  forget(device: string): Promise<unknown> {
    return this.rpc("devices.unregister", { id: device });
  }
}

/** A yes or no to marketing, as it is recorded. */
export function agreement(granted: boolean): Consent {
  return { granted, source: SOURCE, wording: WORDING };
}

/** The channels there are, in one order for all categories. */
export function channelsOf({ categories }: Preferences): readonly string[] {
  return [...new Set(Object.values(categories).flatMap((row) => Object.keys(row)))];
}

/** Whether the shop has stopped a category on a channel for everybody. */
export function isStopped({ stopped }: Preferences, category: string, channel: string): boolean {
  return [category, "*"].some((each) => ["*", channel].some((name) => stopped[each]?.includes(name)));
}
