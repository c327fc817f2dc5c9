"""Servers that tests talk to: real sockets on the loopback interface."""
