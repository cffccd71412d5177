"""Push: notifications on the phones and in the browsers of a person."""
