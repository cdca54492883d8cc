"""What every back end of a role has to do; each back end's test class inherits it."""
