"""HTTP: routes made from the operations table, health, metrics and the documents that describe them."""
