/** Money and time as a person reads them, by locale. */

export interface Money {
  readonly amount_minor: number;
  readonly currency: string;
}

/** Whose eyes a text is for. `timeZone` is an IANA name. */
export interface Reader {
  readonly locale: string;
  readonly timeZone: string;
}

/** Who sits before this browser, where nobody has signed in. */
export const READER: Reader = {
  locale: navigator.language,
  timeZone: Intl.DateTimeFormat().resolvedOptions().timeZone,
};

const SECOND_MS = 1_000;
const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ["day", 86_400 * SECOND_MS],
  ["hour", 3_600 * SECOND_MS],
  ["minute", 60 * SECOND_MS],
];

/** `{amount_minor: 4999, currency: "EUR"}` → "€49.99". The minor digits are those of ISO 4217. */
export function money(locale: string, { amount_minor, currency }: Money): string {
  const format = new Intl.NumberFormat(locale, { style: "currency", currency });
  const digits = format.resolvedOptions().maximumFractionDigits ?? 2;
  return format.format(amount_minor / 10 ** digits);
}

/** "3 minutes ago", or `justNow` for less than one minute. */
export function ago(locale: string, thenMs: number, nowMs: number, justNow: string): string {
  const passedMs = nowMs - thenMs;
  for (const [unit, lengthMs] of STEPS) {
    if (passedMs >= lengthMs) {
      const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
      return format.format(-Math.floor(passedMs / lengthMs), unit);
    }
  }
  return justNow;
}

/** The time of day where the reader is, with the date where it is not today's. */
export function clock({ locale, timeZone }: Reader, timeMs: number, nowMs: number): string {
  const day = new Intl.DateTimeFormat(locale, { dateStyle: "short", timeZone });
  const today = day.format(timeMs) === day.format(nowMs);
  const style: Intl.DateTimeFormatOptions = { timeStyle: "short", timeZone, ...(today ? {} : { dateStyle: "medium" }) };
  return new Intl.DateTimeFormat(locale, style).format(timeMs);
}
