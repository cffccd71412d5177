/** Small tools for building the page: elements made in code, so that no text is ever parsed as HTML. */

type Child = Node | string | null;
type Props = Readonly<Record<string, string | number | boolean | EventListener | undefined>>;

/**
 * Make an element. A property that is a function listens to the event of that name; `true` sets a bare attribute,
 * `false` and `undefined` set none; null children are left out.
 */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== undefined) element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null));
  return element;
}

/** Find an element that the page's HTML promises to have. */
export function byId<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no element #${id}`);
  return element as E;
}

/** Show one of the drawings in /icons.svg. It is decoration: the text beside it says the same. */
export function icon(name: string): SVGSVGElement {
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS(namespace, "use");
  use.setAttribute("href", `/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/** Set an element's text. Screen readers read out what changes; writing the same text again would repeat it. */
export function tell(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** Hide or show an element. The focus does not go away with it: where it was in there, `heir` gets it. */
export function setHidden(element: HTMLElement, hidden: boolean, heir: () => HTMLElement | null | undefined): void {
  const held = element.contains(document.activeElement);
  element.hidden = hidden;
  if (hidden && held) heir()?.focus();
}

/**
 * Make `parent` hold exactly `wanted`, in that order. What holds the focus is never moved, as it would lose it: the others
 * move around it. What keeps its place keeps its running animation.
 */
export function arrange(parent: Element, wanted: readonly Element[]): void {
  const keep = new Set(wanted);
  for (const child of [...parent.children]) if (!keep.has(child)) child.remove();
  const held = wanted.find((element) => element.contains(document.activeElement));
  let place = parent.firstElementChild;
  for (const element of wanted) {
    if (element === held) place = moveUpTo(held, place);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}

/** Put what stands from `place` to `element` at the end instead, and return `element`. */
function moveUpTo(element: Element, place: Element | null): Element {
  while (place !== null && place !== element) {
    const next: Element | null = place.nextElementSibling;
    place.parentElement?.append(place);
    place = next;
  }
  return element;
}
