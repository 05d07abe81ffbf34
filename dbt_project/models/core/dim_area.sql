select
    areas.district_code || '/' || areas.area_code as area_key,
    areas.district_code,
    areas.area_code,
    areas.name as area_label,
    areas.socioeconomic,
    cast(areas.pilot_from as date) as pilot_from_date
from {{ ref('areas') }} as areas
