"""What tells readers of a release what they read: dictionary, DCAT-AP-SE, Frictionless Table Schema."""
