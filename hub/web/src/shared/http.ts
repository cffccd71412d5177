/** Calls to the hub over HTTP. */

/** What came back, whatever its status. `body` is the parsed JSON, or null where there was none. */
export interface Answer {
  readonly status: number;
  readonly ok: boolean;
  readonly body: unknown;
  readonly tookMs: number;
}

const TIMEOUT_MS = 10_000;

/** Send a request and read its JSON answer. Throws only where no answer came: offline, or none within 10 s. */
export async function call(path: string, init: RequestInit = {}): Promise<Answer> {
  const started = performance.now();
  const response = await fetch(path, { ...init, signal: AbortSignal.timeout(TIMEOUT_MS) });
  const text = await response.text();
  const tookMs = Math.round(performance.now() - started);
  return { status: response.status, ok: response.ok, body: parsed(text), tookMs };
}

/** POST a value as JSON. */
export function post(path: string, value: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const init = { method: "POST", headers: { "content-type": "application/json", ...headers } };
  return call(path, { ...init, body: JSON.stringify(value) });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // An empty body, or a proxy's page of HTML: the status says enough.
  }
}
