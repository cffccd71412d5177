/** What the hub's answer to `POST /v1/events` means, in words. */

import type { Answer } from "../shared/http";

export type Tone = "good" | "warn" | "bad";

/** A field at fault and what is wrong with it. */
export interface Fault {
  readonly field: string;
  readonly problem: string;
}

export interface Meaning {
  readonly tone: Tone;
  readonly text: string;
  readonly faults: readonly Fault[];
}

type Status = "accepted" | "duplicate" | "stale" | "parked" | "ignored" | "rejected";

interface Result {
  readonly status: Status;
  readonly field?: string;
  readonly problem?: string;
}

/** An RFC 9457 problem, with the fields that are wrong where there are any. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
  readonly errors?: readonly Fault[];
}

const TEXTS: Readonly<Record<Status, string>> = {
  accepted: "Accepted",
  duplicate: "Seen before, nothing happens again",
  stale: "Recorded, but something newer is known",
  parked: "Parked until its order appears",
  ignored: "Not a type that Doorbell handles",
  rejected: "Rejected, kept as a dead letter",
};

const TONES: Readonly<Record<Status, Tone>> = {
  accepted: "good",
  duplicate: "warn",
  stale: "warn",
  parked: "warn",
  ignored: "warn",
  rejected: "bad",
};

/** Read an answer; null is none at all. */
export function meaningOf(answer: Answer | null): Meaning {
  if (answer === null) return { tone: "bad", text: "No answer from the hub. Is it running?", faults: [] };
  return answer.ok ? meaningOfResults(answer.body) : meaningOfProblem(answer.body);
}

function meaningOfResults(body: unknown): Meaning {
  const { results = [] } = (body ?? {}) as { results?: readonly Result[] };
  const faults = results.flatMap(({ field = "", problem = "" }) => (problem === "" ? [] : [{ field, problem }]));
  return { tone: worst(results), text: summary(results), faults };
}

function meaningOfProblem(body: unknown): Meaning {
  const { title = "Refused", detail = "", errors = [] } = (body ?? {}) as Problem;
  // The fields say it more exactly than the text about all of them.
  const faults = errors.length > 0 || detail === "" ? errors : [{ field: "", problem: detail }];
  return { tone: "bad", text: title, faults };
}

function worst(results: readonly Result[]): Tone {
  const tones = results.map(({ status }) => TONES[status]);
  return tones.includes("bad") ? "bad" : tones.includes("warn") ? "warn" : "good";
}

/** One event: the whole text. A batch: how many of each. */
function summary(results: readonly Result[]): string {
  const [only] = results;
  if (only !== undefined && results.length === 1) return TEXTS[only.status];
  const statuses = [...new Set(results.map(({ status }) => status))];
  return statuses.map((name) => `${results.filter(({ status }) => status === name).length} ${name}`).join(", ");
}
