/** A mail as the stand-in of the mail relay took it. */

export interface Mail {
  /** Names the mail on this page: the relay's own ids begin again when it starts again. */
  readonly key: string;
  readonly to: string;
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly atMs: number;
  /** Where the hub serves the HTML part, under a policy of its own that lets nothing run. */
  readonly htmlPath: string;
}

interface RawMail {
  readonly id: string;
  readonly to: readonly string[];
  readonly from: string;
  readonly subject: string;
  readonly text: string;
  readonly received_ms: number;
}

/** What the relay lists: its newest mails, and how many it has taken in all. */
export interface Listing {
  readonly mails: readonly Mail[];
  readonly total: number;
}

/** Read the answer of `/demo/outbox`, newest first. */
export function listingFrom(body: unknown): Listing {
  const { messages = [], total } = (body ?? {}) as { messages?: readonly RawMail[]; total?: number };
  return { mails: messages.map(mailFrom), total: total ?? messages.length };
}

function mailFrom({ id, to, from, subject, text, received_ms }: RawMail): Mail {
  const htmlPath = `/demo/outbox/${encodeURIComponent(id)}/html`;
  return { key: `${id}@${received_ms}`, to: to.join(", "), from, subject, text, atMs: received_ms, htmlPath };
}
