"""A unit's own exact figures, for its own staff: what of the marts rests on its own rows alone, in a workbook."""
