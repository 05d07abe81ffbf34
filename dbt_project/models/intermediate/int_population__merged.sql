-- a unit's population is that of all that has become part of it, also from before it began
with united as (
    select
        related.descendant_code as district_code,
        population.calendar_year,
        population.age_band,
        sum(population.inhabitants) as inhabitants
    from {{ ref('dim_population') }} as population
    inner join {{ ref('int_districts__related') }} as related
        on population.district_code = related.ancestor_code
    group by related.descendant_code, population.calendar_year, population.age_band
)

-- a quarter is told with the newest population of a year that had ended when the quarter began
select
    united.district_code,
    quarters.reporting_quarter,
    united.age_band,
    cast(united.inhabitants as integer) as inhabitants
from united
inner join {{ ref('dim_quarter') }} as quarters
    on united.calendar_year < quarters.calendar_year
qualify row_number() over (
    partition by united.district_code, quarters.reporting_quarter, united.age_band
    order by united.calendar_year desc
) = 1
