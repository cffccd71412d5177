/** A list on the page whose items stay the same elements: what is open, focused or selected in one stays so. */

import { arrange } from "./dom";

interface Making<Value> {
  /** Names a value for as long as it may be shown. */
  readonly keyOf: (value: Value) => string;
  /** Called once for each key. */
  readonly make: (value: Value) => HTMLElement;
}

export class KeyedList<Value> {
  private items: ReadonlyMap<string, HTMLElement> = new Map();

  constructor(
    private readonly parent: HTMLElement,
    private readonly making: Making<Value>,
  ) {}

  /** Show exactly these values, in this order. Items of other values are forgotten. */
  show(values: readonly Value[]): void {
    const { keyOf, make } = this.making;
    this.items = new Map(
      values.map((value) => {
        const key = keyOf(value);
        return [key, this.items.get(key) ?? make(value)];
      }),
    );
    arrange(this.parent, [...this.items.values()]);
  }

  /** The last item, where there is one. */
  get last(): HTMLElement | undefined {
    return [...this.items.values()].at(-1);
  }

  /** The item of a key, where it is shown. */
  get(key: string): HTMLElement | undefined {
    return this.items.get(key);
  }
}
