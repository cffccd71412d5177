/** The operator's page: shows how delivery is doing to who has an API key or an admin's token. */

import { serviceToken } from "../shared/demo";
import { byId } from "../shared/dom";
import type { Reader } from "../shared/format";
import { Api, type Letter, NotLetIn } from "./api";
import { FailuresView } from "./failures-view";
import { HealthView } from "./health-view";
import { LettersView } from "./letters-view";
import { QueueView } from "./queue-view";
import { TextsView } from "./texts-view";

const KEY = "doorbell.operator";
const REFRESH_MS = 2_000;
const READER: Reader = { locale: navigator.language, timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone };

const form = byId<HTMLFormElement>("let-in");
const field = byId<HTMLInputElement>("key");
const health = new HealthView();
const queue = new QueueView();
const failures = new FailuresView(READER);
const letters = new LettersView(READER, { act, older });
let api: Api | null = null;
/** Letters beyond the first page, as they were when they were asked for. */
let olderLetters: readonly Letter[] = [];
let cursor: string | null = null;
let pages = 1;

async function letIn(key: string): Promise<void> {
  const candidate = new Api(key);
  try {
    await candidate.queue;
  } catch (problem) {
    refuse(problem);
    return;
  }
  sessionStorage.setItem(KEY, key);
  api = candidate;
  field.value = "";
  show("room");
  byId("room-title").focus();
  await refresh();
  await new TextsView(candidate).start().catch(complain);
}

function refuse(problem: unknown): void {
  letOut();
  byId("key-problem").textContent =
    problem instanceof NotLetIn
      ? "The hub does not let this key in: it takes an API key with the scope ops.*, or an admin's token."
      : "The hub does not answer. Is it running?";
  field.focus();
}

function letOut(): void {
  api = null;
  sessionStorage.removeItem(KEY);
  show("door");
}

function show(which: "door" | "room"): void {
  byId("door").hidden = which !== "door";
  byId("room").hidden = which !== "room";
}

async function refresh(): Promise<void> {
  if (api === null) return;
  try {
    const [{ workers }, lanes, latest, page] = await Promise.all([
      api.channels,
      api.queue,
      api.failures,
      api.letters(null),
    ]);
    health.show(workers);
    queue.show(lanes);
    failures.show(latest.failures);
    if (pages === 1) cursor = page.next_cursor;
    const first = new Set(page.letters.map(({ id }) => id));
    const all = [...page.letters, ...olderLetters.filter(({ id }) => !first.has(id))];
    letters.show(all, { total: page.total, next_cursor: cursor });
    tell("");
  } catch (problem) {
    complain(problem);
  }
}

function complain(problem: unknown): void {
  if (problem instanceof NotLetIn) refuse(problem);
  else tell("The hub does not answer. What stands here is from before; it goes on by itself.");
}

/** Screen readers read out what changes; writing the same text again would repeat it. */
function tell(text: string): void {
  const element = byId("problem");
  if (element.textContent !== text) element.textContent = text;
}

async function act(what: "retry" | "drop", ids: readonly string[]): ReturnType<Api["act"]> {
  if (api === null) return [];
  const results = await api.act(what, ids);
  const gone = new Set(results.filter(({ done }) => done).map(({ id }) => id));
  olderLetters = olderLetters.filter(({ id }) => !gone.has(id));
  await refresh();
  return results;
}

function older(): void {
  if (api === null || cursor === null) return;
  api
    .letters(cursor)
    .then((page) => {
      olderLetters = [...olderLetters, ...page.letters];
      cursor = page.next_cursor;
      pages += 1;
      return refresh();
    })
    .catch(complain);
}

/** Ask again while somebody is looking; one question at a time. */
async function keepFresh(): Promise<never> {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, REFRESH_MS));
    if (document.visibilityState === "visible") await refresh();
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  void letIn(field.value.trim());
});
byId("leave").addEventListener("click", () => {
  letOut();
  field.focus();
});
byId("demo-key").addEventListener("click", () => void serviceToken().then(letIn, refuse));
// The pages of the demonstration link here so: it lets everybody in.
byId("demo-door").hidden = location.hash !== "#demo";
for (const link of document.querySelectorAll<HTMLElement>(".demo-only")) link.hidden = location.hash !== "#demo";

const kept = sessionStorage.getItem(KEY);
show("door");
if (kept !== null) void letIn(kept);
void keepFresh();
