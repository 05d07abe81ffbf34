select
    district_code as stadsdel,
    period_kind as periodtyp,
    period,
    unit_kind as enhet,
    directed_at as riktad_till,
    routines as redovisade,
    routines_in_place as finns,
    routines_planned as planeras,
    routines_missing as saknas,
    is_provisional as preliminar
from published.mart_routines
where district_basis = 'today' and cut = 'directed_at+unit_kind' and district_code <> whole_code()
