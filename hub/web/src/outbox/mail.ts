/** A mail as the stand-in of the mail relay took it. */

export interface Mail {
  readonly id: string;
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
  readonly to: string | readonly string[];
  readonly from?: string;
  readonly sender?: string;
  readonly subject?: string;
  readonly text?: string;
  readonly received_ms?: number;
}

/** Read the answer of `/demo/outbox`, newest first. */
export function mailsFrom(body: unknown): readonly Mail[] {
  const { messages = [] } = (body ?? {}) as { messages?: readonly RawMail[] };
  return messages.map(mailFrom).sort((a, b) => b.atMs - a.atMs);
}

function mailFrom(raw: RawMail): Mail {
  return {
    id: raw.id,
    to: typeof raw.to === "string" ? raw.to : raw.to.join(", "),
    from: raw.from ?? raw.sender ?? "",
    subject: raw.subject ?? "",
    text: raw.text ?? "",
    atMs: raw.received_ms ?? 0,
    htmlPath: `/demo/outbox/${encodeURIComponent(raw.id)}/html`,
  };
}
