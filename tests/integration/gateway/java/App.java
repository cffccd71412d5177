// An app on the official Java SDK, driven line by line over stdin; tells what it sees as JSON lines on stdout.
//
// Arguments: the URL of the hub's socket, a token. Commands: `subscribe <topic>`, `rpc <method> <json>`, `publish
// <topic> <json>`, `quit`. Data is JSON already, and so is told as it comes.

import static java.nio.charset.StandardCharsets.UTF_8;

import io.github.centrifugal.centrifuge.*;
import io.github.centrifugal.centrifuge.EventListener;
import java.util.Scanner;

public class App {
    static synchronized void tell(String what, String about) {
        System.out.println("{\"what\":\"" + what + "\"" + (about.isEmpty() ? "" : "," + about) + "}");
        System.out.flush();
    }

    static String field(String name, String text) {
        return "\"" + name + "\":\"" + text + "\"";
    }

    static String field(String name, Object json) {
        return "\"" + name + "\":" + json;
    }

    static void tellSubscribed(String topic, boolean wasRecovering, boolean recovered) {
        tell("subscribed", field("channel", topic) + "," + field("wasRecovering", (Object) wasRecovering) + ","
            + field("recovered", (Object) recovered));
    }

    static void tellPublication(String topic, byte[] data, long offset) {
        tell("publication", field("channel", topic) + "," + field("data", (Object) new String(data, UTF_8)) + ","
            + field("offset", (Object) offset));
    }

    static class Connection extends EventListener {
        @Override
        public void onConnecting(Client client, ConnectingEvent event) {
            tell("connecting", field("code", (Object) event.getCode()));
        }

        @Override
        public void onDisconnected(Client client, DisconnectedEvent event) {
            tell("disconnected", field("code", (Object) event.getCode()));
        }

        @Override
        public void onSubscribed(Client client, ServerSubscribedEvent event) {
            tellSubscribed(event.getChannel(), event.wasRecovering(), event.getRecovered());
        }

        @Override
        public void onPublication(Client client, ServerPublicationEvent event) {
            tellPublication(event.getChannel(), event.getData(), event.getOffset());
        }
    }

    static class Live extends SubscriptionEventListener {
        @Override
        public void onSubscribed(Subscription subscription, SubscribedEvent event) {
            tellSubscribed(subscription.getChannel(), event.wasRecovering(), event.getRecovered());
        }

        @Override
        public void onUnsubscribed(Subscription subscription, UnsubscribedEvent event) {
            tell("unsubscribed", field("channel", subscription.getChannel()) + ","
                + field("code", (Object) event.getCode()));
        }

        @Override
        public void onPublication(Subscription subscription, PublicationEvent event) {
            tellPublication(subscription.getChannel(), event.getData(), event.getOffset());
        }

        @Override
        public void onJoin(Subscription subscription, JoinEvent event) {
            tell("join", field("user", event.getInfo().getUser()));
        }
    }

    public static void main(String[] args) throws Exception {
        Options options = new Options();
        options.setToken(args[1]);
        options.setMinReconnectDelay(50);
        options.setMaxReconnectDelay(200);
        Client client = new Client(args[0], options, new Connection());
        client.connect();
        Scanner commands = new Scanner(System.in, UTF_8);
        while (commands.hasNextLine()) {
            String[] command = commands.nextLine().split(" ", 3);
            switch (command[0]) {
                case "subscribe" -> client.newSubscription(command[1], new Live()).subscribe();
                case "publish" -> client.publish(command[1], command[2].getBytes(UTF_8), (error, result) ->
                    tell("published", field("refused", (Object) (error != null))));
                case "rpc" -> client.rpc(command[1], command[2].getBytes(UTF_8), (error, result) ->
                    tell("answer", field("data", error == null ? (Object) new String(result.getData(), UTF_8) : "null")));
                default -> {
                    client.close(1_000);
                    System.exit(0);
                }
            }
        }
        System.exit(0);
    }
}
