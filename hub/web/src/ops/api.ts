/** What the hub tells operators: the operations `ops.*` over HTTP. */

import { type Answer, call, post } from "../shared/http";

export type ProviderState = "well" | "paused" | "failing";

export interface Provider {
  readonly channel: string;
  readonly name: string;
  readonly state: ProviderState;
  readonly rests_s: number;
  /** Of the last minute: taken, refused, impossible, unknown. */
  readonly calls: Readonly<Record<string, number>>;
  readonly under_way: number;
  readonly per_second: number;
}

export interface Worker {
  readonly uid: string;
  readonly name: string;
  readonly version: string;
  readonly uptime: number;
  readonly channels: readonly string[];
  readonly providers: readonly Provider[];
}

export interface Lane {
  readonly lane: string;
  readonly waiting: number;
  readonly due: number;
  readonly in_hand: number;
  readonly oldest_due_ms: number | null;
}

export interface Queue {
  readonly now_ms: number;
  readonly lanes: readonly Lane[];
}

export interface Failure {
  readonly at_ms: number;
  readonly user: string;
  readonly notification: string;
  readonly event_type: string;
  readonly channel: string;
  readonly lane: string;
  readonly outcome: string;
  readonly reason: string;
  readonly tries: number;
}

export interface Letter {
  readonly id: string;
  readonly at_ms: number;
  readonly origin: string;
  readonly field: string;
  readonly reason: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly body: string;
  readonly size: number;
}

export interface Letters {
  readonly letters: readonly Letter[];
  readonly total: number;
  readonly next_cursor: string | null;
}

export interface LetterOutcome {
  readonly id: string;
  readonly done: boolean;
  readonly outcome: string;
}

export interface Catalog {
  readonly templates: readonly string[];
  readonly channels: readonly string[];
  readonly locales: readonly string[];
}

export interface Preview {
  readonly template: string;
  readonly channel: string;
  readonly locale: string;
  readonly title: string;
  readonly body: string;
  readonly html_path: string | null;
  readonly segments: number | null;
  readonly max_segments: number | null;
  readonly unicode: boolean;
}

/** The hub does not take the key (any more), or it may not do this. */
export class NotLetIn extends Error {}

const MAX_PAGE = 100;
const NOT_LET_IN: readonly number[] = [401, 403];

export class Api {
  constructor(private readonly key: string) {}

  get channels(): Promise<{ readonly workers: readonly Worker[] }> {
    return this.read("channels");
  }

  get queue(): Promise<Queue> {
    return this.read("queue");
  }

  get failures(): Promise<{ readonly failures: readonly Failure[] }> {
    return this.read("failures?limit=20");
  }

  get catalog(): Promise<Catalog> {
    return this.read("templates");
  }

  /** The newest letters: `count` of them, or as many as there are. */
  async letters(count: number): Promise<Letters> {
    let found = await this.page(count, "");
    while (found.letters.length < count && found.next_cursor !== null) {
      const more = await this.page(count - found.letters.length, `&cursor=${encodeURIComponent(found.next_cursor)}`);
      found = { ...more, letters: [...found.letters, ...more.letters] };
    }
    return found;
  }

  preview(template: string, channel: string, locale: string): Promise<Preview> {
    return this.read(`templates/${[template, channel, locale].map(encodeURIComponent).join("/")}`);
  }

  async act(what: "retry" | "drop", ids: readonly string[]): Promise<readonly LetterOutcome[]> {
    const answer = await post(`/v1/ops/dead-letters/${what}`, { ids }, this.headers);
    return (checked(answer) as { readonly results: readonly LetterOutcome[] }).results;
  }

  private page(count: number, after: string): Promise<Letters> {
    return this.read(`dead-letters?limit=${Math.min(count, MAX_PAGE)}${after}`);
  }

  private async read<Result>(path: string): Promise<Result> {
    return checked(await call(`/v1/ops/${path}`, { headers: this.headers })) as Result;
  }

  private get headers(): Readonly<Record<string, string>> {
    return { authorization: `Bearer ${this.key}` };
  }
}

function checked({ status, ok, body }: Answer): unknown {
  if (ok) return body;
  const { title, detail } = (body ?? {}) as { readonly title?: string; readonly detail?: string };
  const text = [title, detail].filter((part) => part !== undefined && part !== "").join(": ");
  throw NOT_LET_IN.includes(status) ? new NotLetIn(text) : new Error(text || `status ${status}`);
}
