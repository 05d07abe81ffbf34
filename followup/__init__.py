"""The command line, the build of the warehouse, and the synthetic city."""
