/** The shopper's page: sign in at the panel of bells, then the visit. `/?as=ana` signs in at once. */

import { NoDemo, PEOPLE, type Person, personToken } from "../shared/demo";
import { byId, el, icon, setHidden } from "../shared/dom";
import { Visit } from "./visit";
import { type Words, formatsFor, wordsFor } from "./words";

const KEY = "doorbell.person";

const panel = byId("panel");
const home = byId("home");
/** The words of who sits before this browser, until somebody has signed in. */
const ours = wordsFor(...navigator.languages);
let visit: Visit | null = null;

function start(): void {
  translate(ours);
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
        el("span", { class: "push-name" }, el("bdi", {}, person.name)),
        el("span", { class: "push-language", lang: person.locale }, el("bdi", {}, languageName(person.locale))),
      ),
      el("span", { class: "knob" }, icon("bell")),
    ),
  );
}

/** As its speakers call it. */
function languageName(locale: string): string {
  return new Intl.DisplayNames(locale, { type: "language" }).of(locale) ?? locale;
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
  translate(words);
  show("home");
  visit?.close();
  visit = new Visit({ ...person, locale: formatsFor(words, person.locale) }, words);
}

function explain(problem: unknown): string {
  return problem instanceof NoDemo ? ours.noDemo : ours.hubAway;
}

function signOut(): void {
  visit?.close();
  visit = null;
  sessionStorage.removeItem(KEY);
  history.replaceState(null, "", location.pathname);
  translate(ours);
  show("panel");
  byId("panel-title").focus();
}

function show(which: "panel" | "home"): void {
  home.hidden = which !== "home";
  setHidden(panel, which !== "panel", () => byId("person-title"));
  document.body.dataset["view"] = which;
}

/** Elements with `data-word` say that word in the person's language, and the page turns to its direction. */
function translate(words: Words): void {
  document.documentElement.lang = words.lang;
  document.documentElement.dir = words.dir;
  byId("pages").setAttribute("aria-label", words.pages);
  for (const element of document.querySelectorAll<HTMLElement>("[data-word]")) {
    const word = words[element.dataset["word"] as keyof Words];
    if (typeof word === "string") element.textContent = word;
  }
}

start();
