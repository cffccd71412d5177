/** What the stand-ins of the providers took: mails, pushes and texts, in one list. */

import devices from "../../scenario/devices.json";
import { PEOPLE } from "../shared/demo";

export type Kind = "mail" | "push" | "text";

interface Common {
  /** Names the message on this page: the stand-ins' own ids begin again when they start again. */
  readonly key: string;
  readonly to: string;
  readonly title: string;
  readonly text: string;
  readonly atMs: number;
}

export interface Mail extends Common {
  readonly kind: "mail";
  readonly from: string;
  /** Where the hub serves the HTML part, under a policy of its own that lets nothing run. */
  readonly htmlPath: string;
}

export interface Push extends Common {
  readonly kind: "push";
  readonly device: string;
  readonly badge: number | null;
  readonly link: string;
}

export interface Text extends Common {
  readonly kind: "text";
  readonly from: string;
}

export type Sent = Mail | Push | Text;

interface RawMail {
  readonly id: string;
  readonly to: readonly string[];
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly received_ms: number;
}

interface RawPush {
  readonly id: string;
  readonly to: string;
  readonly received_ms: number;
  /** FCM's own form of a message; what is not there is not shown. */
  readonly message: {
    readonly notification?: { readonly title?: string; readonly body?: string };
    readonly data?: Readonly<Record<string, string>>;
    readonly apns?: { readonly payload?: { readonly aps?: { readonly badge?: number } } };
  };
}

interface RawText {
  readonly id: string;
  readonly to: string;
  readonly sender: string;
  readonly body: string;
  readonly received_ms: number;
}

/** Read the answer of `/demo/outbox`. */
export function mailsFrom(body: unknown): readonly Mail[] {
  const { messages = [] } = (body ?? {}) as { messages?: readonly RawMail[] };
  return messages.map(({ id, to, from, subject, text, received_ms }) => ({
    kind: "mail",
    key: `mail-${id}@${received_ms}`,
    to: to.join(", "),
    from,
    title: subject,
    text,
    atMs: received_ms,
    htmlPath: `/demo/outbox/${encodeURIComponent(id)}/html`,
  }));
}

/** Read the answer of `/demo/pushes`. */
export function pushesFrom(body: unknown): readonly Push[] {
  const { pushes = [] } = (body ?? {}) as { pushes?: readonly RawPush[] };
  return pushes.map(({ id, to, received_ms, message: { notification = {}, data = {}, apns } }) => {
    const device = devices.find(({ registration }) => registration === to);
    return {
      kind: "push",
      key: `push-${id}@${received_ms}`,
      to: nameOf(device?.user) ?? to,
      device: device?.app ?? to,
      title: notification.title ?? "",
      text: notification.body ?? "",
      badge: apns?.payload?.aps?.badge ?? null,
      link: data["link"] ?? "",
      atMs: received_ms,
    };
  });
}

/** Read the answer of `/demo/texts`. */
export function textsFrom(body: unknown): readonly Text[] {
  const { texts = [] } = (body ?? {}) as { texts?: readonly RawText[] };
  return texts.map(({ id, to, sender, body: text, received_ms }) => {
    return { kind: "text", key: `text-${id}@${received_ms}`, to, from: sender, title: text, text, atMs: received_ms };
  });
}

/** Everything in one list, the newest first. */
export function newestFirst(...lists: readonly (readonly Sent[])[]): readonly Sent[] {
  return lists.flat().sort((one, other) => other.atMs - one.atMs);
}

function nameOf(user: string | undefined): string | undefined {
  return PEOPLE.find(({ id }) => id === user)?.name;
}
