"""What leaves the warehouse: published copies of the marts, and their labels."""
