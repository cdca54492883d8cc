"""What keeps a failing provider from failing us: deadlines, retries with a budget, breakers."""
