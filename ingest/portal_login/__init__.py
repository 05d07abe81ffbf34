"""Who may enter the portal: passwords, and signing in."""
