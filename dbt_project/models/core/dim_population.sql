select
    population.district_code || '/' || coalesce(population.area_code, 'okand')
    || '/' || population.calendar_year || '/' || population.age_band || '/' || population.sex as population_key,
    population.district_code,
    population.calendar_year,
    population.age_band,
    population.sex,
    coalesce(population.area_code, 'okand') as area_code,
    coalesce(areas.socioeconomic, 'okand') as socioeconomic,
    population.inhabitants,
    population.is_synthetic
from {{ ref('population') }} as population
left join {{ ref('areas') }} as areas
    on population.district_code = areas.district_code and population.area_code = areas.area_code
