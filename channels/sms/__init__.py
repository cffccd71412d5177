"""SMS: notifications as text messages."""
