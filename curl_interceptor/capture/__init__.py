"""From the objects of requests to an exchange, unnoticed."""
