/** The live connection to the hub: one WebSocket, the official SDK, and what the page wants to know about it. */

import { Centrifuge, State, type PublicationContext, type SubscribedContext, type Subscription } from "centrifuge";

/** What the connection is doing. `retryAtMs` is null while a try is under way. */
export type Condition =
  | { readonly is: "connecting" }
  | { readonly is: "connected" }
  | { readonly is: "offline"; readonly retryAtMs: number | null }
  | { readonly is: "closed"; readonly reason: string };

/** How a connection came back: with all that was missed, or without (`complete` is false). */
export interface Return {
  readonly complete: boolean;
  readonly missed: number;
}

export interface Listener {
  /** The connection changed. */
  condition(condition: Condition): void;
  /** A publication on a topic that the hub subscribed us to: inbox or announcements. Returns whether it was news. */
  publication(topic: string, data: unknown): boolean;
  /** The connection stands: for the first time (`back` is null), or again. */
  ready(back: Return | null): void;
}

/** Publications handed over within this time after a reconnect are the ones that were missed. */
const CATCH_UP_MS = 400;

export class Live {
  private readonly client: Centrifuge;
  private readonly network = new EventTarget();
  private readonly leaving = new AbortController();
  private wasConnected = false;
  private complete = true;
  private missed = 0;
  private catchUp: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly listener: Listener,
    getToken: () => Promise<string>,
  ) {
    const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/connection/websocket`;
    this.client = new Centrifuge(address, { getToken, name: "doorbell-web", networkEventTarget: this.network });
    this.passOnNetworkEvents();
    this.watchRetries();
    this.listen();
    this.client.connect();
  }

  /** Call an operation. Rejects where it is refused, or cannot be asked within the SDK's 5 s. */
  async rpc<Result>(method: string, data: object): Promise<Result> {
    const result = await this.client.rpc(method, data);
    return result.data as Result;
  }

  /** Subscribe a topic. `onReady` is called each time the subscription stands, `false` where something was missed. */
  subscribe(topic: string, onData: (data: unknown) => void, onReady: (complete: boolean) => void): void {
    if (this.client.getSubscription(topic) !== null) return;
    const subscription = this.client.newSubscription(topic);
    subscription.on("publication", ({ data }: PublicationContext) => onData(data));
    subscription.on("subscribed", (context: SubscribedContext) => onReady(context.wasRecovering && context.recovered));
    subscription.on("unsubscribed", () => this.drop(subscription));
    subscription.subscribe();
  }

  /** The last publication of a topic; null where it has none. Rejects where the topic may not be read. */
  async last(topic: string): Promise<unknown> {
    const { publications } = await this.client.history(topic, { limit: 1, reverse: true });
    return publications[0]?.data ?? null;
  }

  /** Try again now rather than when the backoff says. */
  retry(): void {
    if (this.client.state === State.Disconnected) this.client.connect();
    else this.network.dispatchEvent(new Event("online"));
  }

  /** Close for good. */
  close(): void {
    this.leaving.abort();
    this.client.disconnect();
  }

  /** A refused subscription is left alone: asking again would be refused again. */
  private drop(subscription: Subscription): void {
    this.client.removeSubscription(subscription);
  }

  private listen(): void {
    const { client, listener } = this;
    client.on("connecting", () => {
      listener.condition(this.wasConnected ? { is: "offline", retryAtMs: null } : { is: "connecting" });
    });
    client.on("disconnected", ({ reason }) => listener.condition({ is: "closed", reason }));
    client.on("subscribed", ({ wasRecovering, recovered }) => {
      if (wasRecovering && !recovered) this.complete = false;
    });
    client.on("publication", ({ channel, data }) => {
      const news = listener.publication(channel, data);
      if (news && this.catchUp !== undefined) this.missed += 1;
    });
    client.on("connected", () => this.onConnected());
  }

  private onConnected(): void {
    this.listener.condition({ is: "connected" });
    if (!this.wasConnected) {
      this.wasConnected = true;
      this.listener.ready(null);
      return;
    }
    clearTimeout(this.catchUp);
    this.missed = 0;
    this.complete = true;
    this.catchUp = setTimeout(() => {
      this.catchUp = undefined;
      this.listener.ready({ complete: this.complete, missed: this.missed });
    }, CATCH_UP_MS);
  }

  /** The SDK reconnects at once on `online`; through our own target, so can the button. */
  private passOnNetworkEvents(): void {
    for (const name of ["online", "offline"]) {
      addEventListener(name, () => this.network.dispatchEvent(new Event(name)), { signal: this.leaving.signal });
    }
  }

  /**
   * Learn when the next try is due. The SDK keeps that to itself, so this looks over the shoulder of one of its
   * methods; without it (the SDK's version is pinned) the page only says "offline", with no countdown.
   */
  private watchRetries(): void {
    const inside = this.client as unknown as { _getReconnectDelay?: () => number };
    const original = inside._getReconnectDelay?.bind(this.client);
    if (original === undefined) return;
    inside._getReconnectDelay = () => {
      const delayMs = original();
      this.listener.condition({ is: "offline", retryAtMs: Date.now() + delayMs });
      return delayMs;
    };
  }
}
