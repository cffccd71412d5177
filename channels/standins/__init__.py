"""Stand-ins for providers: real servers on loopback that speak the provider's protocol, for the demo and for tests."""
