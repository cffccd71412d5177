// A shopper's app on the official SDK, driven line by line over stdin; tells what it sees as JSON lines on stdout.
//
// Arguments: the hub's host and port, a token, the format (json or protobuf). Commands: `subscribe <topic> [<options as
// JSON>]`, `publish`, `presence`, `stats`, `history`, `unsubscribe` (of a topic), `drop` (break the socket), `rpc <method>
// <json>`, `quit`. With `subscribe <topic> {"asks":true}` it tells of each subscription token it wants, and waits for
// `token <token>`.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../hub/web/package.json", import.meta.url));
const WebSocket = require("ws");

const [address, token, format] = process.argv.slice(2);
const protobuf = format === "protobuf";
const { Centrifuge } = require(protobuf ? "centrifuge/build/protobuf" : "centrifuge");
let socket = null;
let give = null;

class OwnSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    socket = this;
  }
}

// In protobuf the SDK takes and gives data as bytes: what it gives is told as the JSON that these are.
function plain(name, value) {
  const bytes = this[name];
  if (!(bytes instanceof Uint8Array)) return value;
  return bytes.length ? JSON.parse(new TextDecoder().decode(bytes)) : undefined;
}
const encoded = (json) => (protobuf ? new TextEncoder().encode(json) : JSON.parse(json));
const tell = (what, about) => console.log(JSON.stringify({ what, ...about }, plain));

const client = new Centrifuge(`ws://${address}/connection/websocket`, {
  token,
  websocket: OwnSocket,
  minReconnectDelay: 1_000, // Long enough for the test to publish what is missed.
});
client.on("connected", ({ transport }) => tell("connected", { transport }));
client.on("connecting", ({ code }) => tell("connecting", { code }));
client.on("subscribed", ({ channel, wasRecovering, recovered }) => tell("subscribed", { channel, wasRecovering, recovered }));
client.on("publication", ({ channel, data, offset }) => tell("publication", { channel, data, offset }));

const commands = {
  subscribe(topic, options = "{}") {
    const { asks, ...rest } = JSON.parse(options);
    if (asks)
      rest.getToken = () =>
        new Promise((resolve) => {
          give = resolve;
          tell("token wanted", { channel: topic });
        });
    const subscription = client.newSubscription(topic, rest);
    subscription.on("subscribed", ({ channel, wasRecovering, recovered, recoverable }) =>
      tell("subscribed", { channel, wasRecovering, recovered, recoverable }),
    );
    subscription.on("subscribing", ({ channel, code }) => tell("subscribing", { channel, code }));
    subscription.on("publication", ({ channel, data, offset, info }) => tell("publication", { channel, data, offset, info }));
    subscription.on("join", ({ channel, info }) => tell("join", { channel, user: info.user, info }));
    subscription.on("leave", ({ channel, info }) => tell("leave", { channel, user: info.user, info }));
    subscription.on("error", ({ error }) => tell("error", error));
    subscription.on("unsubscribed", ({ channel, code }) => tell("unsubscribed", { channel, code }));
    subscription.subscribe();
  },
  token(token) {
    give(token);
  },
  unsubscribe(topic) {
    client.getSubscription(topic).unsubscribe();
  },
  async publish(topic, json) {
    await client.publish(topic, encoded(json)).then(
      () => tell("published", { channel: topic }),
      ({ code }) => tell("refused", { channel: topic, code }),
    );
  },
  async presence(topic) {
    tell("presence", await client.presence(topic));
  },
  async stats(topic) {
    tell("stats", await client.presenceStats(topic));
  },
  async history(topic) {
    tell("history", await client.history(topic, { limit: 10 }));
  },
  drop() {
    socket.terminate();
  },
  async rpc(method, json) {
    const answer = await client.rpc(method, encoded(json)).catch((error) => ({ error }));
    tell("answer", answer);
  },
  quit() {
    client.disconnect();
    process.exit(0);
  },
};

createInterface({ input: process.stdin }).on("line", (line) => {
  const [name, ...args] = line.split(" ");
  commands[name](...args);
});
client.connect();
