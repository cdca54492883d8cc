"""The addresses of the knowledge base: each checks a form, calls one service, serialises."""
