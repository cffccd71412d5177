/** The page that plays the backend: publishes events by HTTP and shows what the hub answers. */

import { NoDemo, serviceToken } from "../shared/demo";
import { byId, el } from "../shared/dom";
import { type Answer, call } from "../shared/http";
import { Answers } from "./answers";
import { FAMILIES, example, type CloudEvent } from "./examples";
import { Journey } from "./journey";

const UNAUTHORIZED = 401;

const editor = byId<HTMLTextAreaElement>("event");
const problem = byId("event-problem");
const types = byId<HTMLSelectElement>("type");
const answers = new Answers();
const journey = new Journey(publishAll);
let token: string | null = null;

function start(): void {
  for (const [family, members] of Object.entries(FAMILIES)) {
    types.append(el("optgroup", { label: family }, ...members.map((type) => el("option", { value: type }, type))));
  }
  types.addEventListener("change", showExample);
  byId("fresh").addEventListener("click", showExample);
  byId("person").addEventListener("change", showExample);
  byId("new-order").addEventListener("click", showExample);
  byId("editor").addEventListener("submit", (event) => {
    event.preventDefault();
    void publishEdited();
  });
  editor.addEventListener("input", () => void parsed());
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) void publishEdited();
  });
  showExample();
}

function showExample(): void {
  show(example(types.value, journey.subject()));
}

function show(event: CloudEvent): void {
  editor.value = JSON.stringify(event, null, 2);
  parsed();
}

/** The editor's event, or null with the reason shown beside it. */
function parsed(): Readonly<Record<string, unknown>> | null {
  let reason = "";
  let value: unknown = null;
  try {
    value = JSON.parse(editor.value);
    if (typeof value !== "object" || value === null) reason = "An event is a JSON object, or a list of them.";
  } catch (error) {
    reason = `Not JSON yet: ${(error as Error).message}`;
  }
  problem.textContent = reason;
  editor.setAttribute("aria-invalid", String(reason !== ""));
  return reason === "" ? (value as Readonly<Record<string, unknown>>) : null;
}

async function publishEdited(): Promise<void> {
  const event = parsed();
  if (event === null) {
    editor.focus();
    return;
  }
  const type = Array.isArray(event) ? `${event.length} events` : String(event["type"] ?? "no type");
  await publish(type, editor.value, Array.isArray(event));
}

/** Publish the events of a step in turn, stopping at one that is refused. */
async function publishAll(events: readonly CloudEvent[]): Promise<boolean> {
  for (const event of events) {
    show(event);
    if (!(await publish(event.type, JSON.stringify(event), false))) return false;
  }
  return true;
}

async function publish(type: string, body: string, batch: boolean): Promise<boolean> {
  const contentType = batch ? "application/cloudevents-batch+json" : "application/cloudevents+json";
  try {
    const answer = await send(body, contentType);
    answers.add(type, answer);
    return answer.ok;
  } catch (error) {
    if (error instanceof NoDemo) problem.textContent = `${error.message} Start it with \`doorbell demo\`.`;
    answers.add(type, null);
    return false;
  }
}

/** The token is short-lived: a refused one is replaced once. */
async function send(body: string, contentType: string): Promise<Answer> {
  const kept = token;
  token ??= await serviceToken();
  const init = { method: "POST", body, headers: { "content-type": contentType, authorization: `Bearer ${token}` } };
  const answer = await call("/v1/events", init);
  if (answer.status !== UNAUTHORIZED || kept === null) return answer;
  token = null;
  return send(body, contentType);
}

start();
