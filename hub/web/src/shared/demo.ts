/** The demonstration's sign-in and its people. Only `doorbell demo` serves these. */

import people from "../../scenario/people.json";
import type { Reader } from "./format";
import { post } from "./http";

export interface Person extends Reader {
  readonly id: string;
  readonly name: string;
  readonly email: string;
}

export const PEOPLE: readonly Person[] = people.map(({ data }) => ({
  id: data.user_id,
  name: data.name,
  email: data.email,
  locale: data.locale,
  timeZone: data.time_zone,
}));

/** The demonstration's doors are closed: the hub runs without `demo`. */
export class NoDemo extends Error {}

/** Get a connection token for one of the people. */
export function personToken(user: string): Promise<string> {
  return session({ user });
}

/** Get a token with which events may be published. */
export function serviceToken(): Promise<string> {
  return session({ role: "service" });
}

async function session(who: object): Promise<string> {
  const answer = await post("/demo/session", who);
  const { token } = (answer.body ?? {}) as { token?: unknown };
  if (answer.status === 404) throw new NoDemo("This hub runs without its demonstration.");
  if (!answer.ok || typeof token !== "string") throw new Error(`Sign-in was answered with status ${answer.status}`);
  return token;
}
