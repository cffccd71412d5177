"""What people see, and set, of their own."""
