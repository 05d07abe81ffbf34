"""The command line `followup`: its commands, options and output."""
