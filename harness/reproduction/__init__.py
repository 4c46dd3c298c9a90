"""Turns one scenario on one implementation into a standalone script for a bug report."""
