"""The daily mail to the admins: what was used, how well it went, and what failed."""
