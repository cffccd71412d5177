"""Ways in: Kafka, RabbitMQ, and the decoding they share with HTTP."""
