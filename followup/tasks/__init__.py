"""What the DAGs' tasks call: a function each."""
