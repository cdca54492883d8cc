"""HTTP: check the form, call one service, serialise."""
