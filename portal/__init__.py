"""The web: a district submits and explains, the city sees who has submitted, everyone sees the released figures."""
