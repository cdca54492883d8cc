"""What happens to accounts, a module for each matter."""
