"""What services do with topics, and with the connections on them."""
