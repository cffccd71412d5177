/** The shopper's page: sign in at the panel of bells, then the visit. `/?as=ana` signs in at once. */

import { NoDemo, PEOPLE, type Person, personToken } from "../shared/demo";
import { byId, el, icon } from "../shared/dom";
import { Visit } from "./visit";
import { type Words, wordsFor } from "./words";

const KEY = "doorbell.person";
const LANGUAGES = new Intl.DisplayNames("en", { type: "language" });

const panel = byId("panel");
const home = byId("home");
let visit: Visit | null = null;

function start(): void {
  byId("people").append(...PEOPLE.map(bellOf));
  byId("sign-out").addEventListener("click", signOut);
  const wanted = new URLSearchParams(location.search).get("as") ?? sessionStorage.getItem(KEY);
  const person = PEOPLE.find(({ id }) => id === wanted);
  if (person === undefined) show("panel");
  else void signIn(person);
}

function bellOf(person: Person): HTMLElement {
  return el(
    "li",
    {},
    el(
      "button",
      { class: "push", type: "button", "data-person": person.id, click: () => void signIn(person) },
      el(
        "span",
        { class: "push-card" },
        el("span", { class: "push-name" }, person.name),
        el("span", { class: "push-language" }, LANGUAGES.of(person.locale) ?? person.locale),
      ),
      el("span", { class: "knob" }, icon("bell")),
    ),
  );
}

async function signIn(person: Person): Promise<void> {
  byId("panel-problem").textContent = "";
  try {
    await personToken(person.id);
  } catch (problem) {
    show("panel");
    byId("panel-problem").textContent = explain(problem);
    return;
  }
  sessionStorage.setItem(KEY, person.id);
  const words = wordsFor(person.locale);
  translate(words, person.locale);
  show("home");
  visit?.close();
  visit = new Visit(person, words);
}

function explain(problem: unknown): string {
  return problem instanceof NoDemo
    ? "This hub runs without its demonstration, so nobody can sign in here. Start it with `doorbell demo`."
    : "The hub does not answer. Is it running? Ring again in a moment.";
}

function signOut(): void {
  visit?.close();
  visit = null;
  sessionStorage.removeItem(KEY);
  history.replaceState(null, "", location.pathname);
  translate(wordsFor("en"), "en");
  show("panel");
  byId("panel-title").focus();
}

function show(which: "panel" | "home"): void {
  panel.hidden = which !== "panel";
  home.hidden = which !== "home";
  document.body.dataset["view"] = which;
}

/** Elements with `data-word` say that word in the person's language. */
function translate(words: Words, locale: string): void {
  document.documentElement.lang = locale;
  for (const element of document.querySelectorAll<HTMLElement>("[data-word]")) {
    const word = words[element.dataset["word"] as keyof Words];
    if (typeof word === "string") element.textContent = word;
  }
}

start();
