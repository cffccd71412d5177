"""What Doorbell knows and decides: pure values and functions. No I/O, no clock, no randomness."""
