"""The Centrifuge client protocol: messages, codec, codes and the session's state machine. No I/O."""
