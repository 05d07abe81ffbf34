"""The rules that the marts must hold before anything is released."""
