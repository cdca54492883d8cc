"""Forms of what comes in and shapes of what goes out."""
