select
    district_code || '|' || reporting_quarter || '|' || participant_kind || '|' || age_band as participation_key,
    district_code,
    reporting_quarter,
    participant_kind,
    age_band,
    participations,
    inhabitants
from {{ ref('int_participations__summed_over_year') }}
