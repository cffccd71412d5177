"""What comes back of what was sent: clicks, receipts, bounces, complaints, stops."""
