"""Email: the message, the relay's address, connections and their pool, and the channel."""
