"""Ways out: email, push and SMS, and the runner of the ladder."""
