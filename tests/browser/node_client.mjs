// A shopper's app on the official SDK, driven line by line over stdin; tells what it sees as JSON lines on stdout.
//
// Arguments: the hub's host and port, a token. Commands: `subscribe <topic>`, `drop` (break the socket), `rpc <method>
// <json>`, `quit`.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const require = createRequire(new URL("../../hub/web/package.json", import.meta.url));
const { Centrifuge } = require("centrifuge");
const WebSocket = require("ws");

const [address, token] = process.argv.slice(2);
let socket = null;

class OwnSocket extends WebSocket {
  constructor(...args) {
    super(...args);
    socket = this;
  }
}

const tell = (what, about) => console.log(JSON.stringify({ what, ...about }));

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
  subscribe(topic) {
    const subscription = client.newSubscription(topic);
    subscription.on("subscribed", ({ channel, wasRecovering, recovered }) =>
      tell("subscribed", { channel, wasRecovering, recovered }),
    );
    subscription.on("publication", ({ channel, data, offset }) => tell("publication", { channel, data, offset }));
    subscription.on("error", ({ error }) => tell("error", error));
    subscription.on("unsubscribed", ({ channel, code }) => tell("unsubscribed", { channel, code }));
    subscription.subscribe();
  },
  drop() {
    socket.terminate();
  },
  async rpc(method, json) {
    const answer = await client.rpc(method, JSON.parse(json)).catch((error) => ({ error }));
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
