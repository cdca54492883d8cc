"""Requests to services and back, a module for each matter."""
