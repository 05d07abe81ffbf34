-- a unit's population is its own and its predecessors', also for years before it began
with merged as (
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

-- a quarter has the population of the newest year that had ended when the quarter began
select
    merged.district_code,
    quarters.reporting_quarter,
    merged.age_band,
    cast(merged.inhabitants as integer) as inhabitants
from merged
inner join {{ ref('dim_quarter') }} as quarters
    on merged.calendar_year < quarters.calendar_year
qualify row_number() over (
    partition by merged.district_code, quarters.reporting_quarter, merged.age_band
    order by merged.calendar_year desc
) = 1
