"""The attacker of a release: what can be concluded from what readers get. Shares nothing with what makes a release."""
