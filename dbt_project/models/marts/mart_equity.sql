-- 1. How many districts are outside the limits, for the city's row
with outliers as (
    select
        district_basis,
        reporting_quarter,
        is_year,
        measure,
        min(value_without_noise) as value_lowest_without_noise,
        max(value_without_noise) as value_highest_without_noise,
        {{ count_where("funnel_position = 'over'") }} as districts_over,
        {{ count_where("funnel_position = 'under'") }} as districts_under,
        {{ distinct_codes('district_code', "funnel_position in ('over', 'under')") }} as districts_outside
    from {{ ref('fct_measure_comparison') }}
    group by district_basis, reporting_quarter, is_year, measure
),

-- 2. Each unit's measure with its interval, from the city's variance
described as (
    select
        measures.*,
        known.measure_family,
        known.dataset,
        known.is_high_better,
        spread.city_value,
        coalesce(spread.city_variance, measures.unit_variance) as noise_variance
    from {{ ref('fct_district_measure') }} as measures
    inner join {{ ref('dim_measure') }} as known
        on measures.measure = known.measure
    left join {{ ref('fct_measure_spread') }} as spread
        on
            measures.district_basis = spread.district_basis
            and measures.reporting_quarter = spread.reporting_quarter
            and measures.is_year = spread.is_year
            and measures.measure = spread.measure
),

limited as (
    select
        *,
        {{ measure_limit('1.959964', 'low') }} as value_low,
        {{ measure_limit('1.959964', 'high') }} as value_high
    from described
)

select
    limited.district_code,
    limited.district_basis,
    {{ period_columns('limited') }},
    'handelse' as cohort_basis,
    limited.measure_family,
    limited.measure,
    limited.measure_form,
    limited.is_high_better,
    limited.numerator,
    limited.denominator,
    {{ value_as_shown('limited.value') }} as value,
    {{ value_as_shown('case when limited.value is not null then limited.value_low end') }} as value_low,
    {{ value_as_shown('case when limited.value is not null then limited.value_high end') }} as value_high,
    {{ value_as_shown('limited.city_value') }} as city_value,
    {{ value_as_shown('case when comparison.measure_key is not null then limited.value end') }}
    - {{ value_as_shown('limited.city_value') }} as gap,
    {{ value_as_shown('comparison.funnel_low') }} as funnel_low,
    {{ value_as_shown('comparison.funnel_high') }} as funnel_high,
    {{ value_as_shown('comparison.outer_funnel_low') }} as outer_funnel_low,
    {{ value_as_shown('comparison.outer_funnel_high') }} as outer_funnel_high,
    case when limited.is_year then comparison.funnel_position end as funnel_position,
    {{ value_as_shown('comparison.value_without_noise') }} as value_without_noise,
    case when limited.is_year then comparison.district_rank end as district_rank,
    case when limited.is_year then comparison.district_rank_low end as district_rank_low,
    case when limited.is_year then comparison.district_rank_high end as district_rank_high,
    -- only in the city's rows: how far apart the districts are
    spread.districts_compared,
    {{ value_as_shown('spread.value_lowest') }} as value_lowest,
    {{ value_as_shown('spread.value_highest') }} as value_highest,
    spread.value_ratio,
    spread.coefficient_of_variation,
    case when limited.is_year then outliers.districts_over end as districts_over,
    case when limited.is_year then outliers.districts_under end as districts_under,
    case when limited.is_year then outliers.districts_outside end as districts_outside,
    spread.between_variance,
    spread.beyond_chance_share,
    spread.overdispersion_factor,
    {{ value_as_shown('outliers.value_lowest_without_noise') }} as value_lowest_without_noise,
    {{ value_as_shown('outliers.value_highest_without_noise') }} as value_highest_without_noise,
    outliers.value_highest_without_noise / nullif(outliers.value_lowest_without_noise, 0)
        as value_ratio_without_noise,
    spread.coefficient_of_variation_without_noise,
    {{ is_cohort_complete('limited', 'not limited.is_ripening') }} as is_cohort_complete,
    false as is_survivors_only,
    {{ completeness_columns() }},
    0 as lost,
    0 as unlinkable
from limited
{{ join_periods('limited') }}
-- ranks and positions only of years: of single quarters they are mostly chance
left join {{ ref('fct_measure_comparison') }} as comparison
    on limited.measure_key = comparison.measure_key
left join {{ ref('fct_measure_spread') }} as spread
    on
        limited.district_code = {{ whole_code() }}
        and limited.district_basis = spread.district_basis
        and limited.reporting_quarter = spread.reporting_quarter
        and limited.is_year = spread.is_year
        and limited.measure = spread.measure
left join outliers
    on
        limited.district_code = {{ whole_code() }}
        and limited.district_basis = outliers.district_basis
        and limited.reporting_quarter = outliers.reporting_quarter
        and limited.is_year = outliers.is_year
        and limited.measure = outliers.measure
left join {{ ref('fct_completeness') }} as completeness
    on
        limited.district_code = completeness.district_code
        and limited.district_basis = completeness.district_basis
        and limited.reporting_quarter = completeness.reporting_quarter
        and limited.is_year = completeness.is_year
        and limited.dataset = completeness.dataset
