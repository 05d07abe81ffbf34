select
    district_code as stadsdel,
    period_kind as periodtyp,
    period,
    activity_type as typ,
    theme as tema,
    activities as aktiviteter,
    participants as deltagare,
    is_provisional as preliminar
from published.mart_activities
where district_basis = 'today' and cut = 'activity_type+theme' and district_code <> whole_code()
