/** The operator's page: shows how delivery is doing to who has an API key or an admin's token. */

import { serviceToken } from "../shared/demo";
import { byId } from "../shared/dom";
import { keepFresh } from "../shared/fresh";
import { Api, NotLetIn } from "./api";
import { Desk } from "./desk";

const KEY = "doorbell.operator";
const REFRESH_MS = 2_000;

const form = byId<HTMLFormElement>("let-in");
const field = byId<HTMLInputElement>("key");
let desk: Desk | null = null;

async function letIn(key: string): Promise<void> {
  const api = new Api(key);
  try {
    await api.queue;
  } catch (problem) {
    refuse(problem);
    return;
  }
  sessionStorage.setItem(KEY, key);
  desk?.close();
  desk = new Desk(api, (problem) => problem instanceof NotLetIn && refuse(problem));
  field.value = "";
  byId("key-problem").textContent = "";
  show("room");
  byId("room-title").focus();
  await desk.refresh();
}

/** A hub that is away has not said no: the key is kept for when the page is loaded again. */
function refuse(problem: unknown): void {
  if (problem instanceof NotLetIn) letOut();
  byId("key-problem").textContent =
    problem instanceof NotLetIn
      ? "The hub does not let this key in: it takes an API key with the scope ops.*, or an admin's token."
      : "The hub does not answer. Is it running?";
  field.focus();
}

function letOut(): void {
  desk?.close();
  desk = null;
  sessionStorage.removeItem(KEY);
  show("door");
}

function show(which: "door" | "room"): void {
  byId("door").hidden = which !== "door";
  byId("room").hidden = which !== "room";
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
void keepFresh(async () => desk?.refresh(), REFRESH_MS);
