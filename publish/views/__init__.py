"""Views for people: one per question that the city asks, with Swedish names, answered by one select."""
