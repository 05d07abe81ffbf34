"""What stands between the network and the pages: limits, headers, sessions, forged requests."""
