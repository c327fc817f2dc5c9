"""What travels: the raw exchange, the redacted record, and the pure rules between the two."""
