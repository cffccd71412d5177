"""Delivery under load: what one worker sends in a second, at which cost, and what a campaign does to urgent texts."""
