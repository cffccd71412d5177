"""What an operator watches, and mends."""
