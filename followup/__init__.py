"""The command line, the build of the warehouse, what DAGs call, and one machine for a try."""
