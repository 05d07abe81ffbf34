"""Closing a quarter: is it complete, who is asked, and what follows from yes."""
