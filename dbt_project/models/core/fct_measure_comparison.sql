{%- set page = ['district_basis', 'reporting_quarter', 'is_year', 'measure'] -%}

with compared as (
    select
        measures.*,
        spread.city_value,
        spread.between_variance,
        spread.districts_compared,
        spread.overdispersion_factor,
        spread.overdispersion_variance,
        -- how much the figure would vary by chance if the district were like the city
        coalesce(spread.city_variance, measures.unit_variance) as noise_variance,
        known.is_high_better,
        {{ sidak_z('spread.districts_compared') }} as sidak_z
    from {{ ref('fct_district_measure') }} as measures
    inner join {{ ref('dim_district') }} as districts
        on measures.district_code = districts.district_code and districts.kind = 'district'
    inner join {{ ref('dim_measure') }} as known
        on measures.measure = known.measure
    inner join {{ ref('fct_measure_spread') }} as spread
        on
            measures.district_basis = spread.district_basis
            and measures.reporting_quarter = spread.reporting_quarter
            and measures.is_year = spread.is_year
            and measures.measure = spread.measure
    where measures.value is not null and measures.is_compared
),

-- 1. Where the district is, with the ranks that its figures allow
limited as (
    select
        *,
        noise_variance / sample_size as chance_variance,
        sqrt({{ overdispersed_variance() | indent(8) }}) as standard_error,
        {{ measure_limit('sidak_z', 'low') }} as simultaneous_low,
        {{ measure_limit('sidak_z', 'high') }} as simultaneous_high
    from compared
),

scored as (
    select
        *,
        case when is_high_better then value else -value end as score,
        case when is_high_better then simultaneous_low else -simultaneous_high end as score_low,
        case when is_high_better then simultaneous_high else -simultaneous_low end as score_high,
        {{ funnel_deviation() | indent(8) }} as deviation
    from limited
),

ranks as (
    {{ district_ranks('scored', page) }}
),

-- 2. Exact lines and tails of small counts
{{ exact_limits() }},

lined as (
    select
        scored.*,
        coalesce(exact.exact_p, 0) as exact_p,
        {{ drawn_lines() }}
    from scored
    left join exact
        on scored.measure_key = exact.measure_key
),

-- 3. Which districts are flagged: of one page (quarter and measure) at most 1 % of the flags are of chance
-- (Y. Benjamini, Y. Hochberg, JRSS B 57, 1995). The place is the number of districts flagged: the more, the less each
-- needs.
passing as (
    select
        lined.measure_key,
        lined.district_basis,
        lined.reporting_quarter,
        lined.is_year,
        lined.measure,
        levels.place,
        count(*) over (
            partition by lined.district_basis, lined.reporting_quarter, lined.is_year, lined.measure, levels.place
        ) as districts_passing
    from lined
    inner join {{ ref('flag_levels') }} as levels
        on
            lined.districts_compared = levels.districts
            and lined.exact_p <= levels.chance
            and abs(lined.deviation) >= case
                when lined.overdispersion_factor > 1 then levels.student_limit
                else levels.normal_limit
            end
),

pages as (
    select
        district_basis,
        reporting_quarter,
        is_year,
        measure,
        max(place) as last_place
    from passing
    where districts_passing >= place
    group by district_basis, reporting_quarter, is_year, measure
),

flagged as (
    select distinct passing.measure_key
    from passing
    inner join pages
        on
            passing.district_basis = pages.district_basis
            and passing.reporting_quarter = pages.reporting_quarter
            and passing.is_year = pages.is_year
            and passing.measure = pages.measure
            and passing.place = pages.last_place
),

judged_pages as (
    select distinct districts
    from {{ ref('flag_levels') }}
)

select
    lined.measure_key,
    lined.district_code,
    lined.district_basis,
    lined.reporting_quarter,
    lined.is_year,
    lined.measure,
    lined.value - lined.city_value as gap,
    cast(lined.funnel_low as double) as funnel_low,
    cast(lined.funnel_high as double) as funnel_high,
    cast(lined.outer_funnel_low as double) as outer_funnel_low,
    cast(lined.outer_funnel_high as double) as outer_funnel_high,
    case
        when lined.deviation is null or judged_pages.districts is null then null
        when flagged.measure_key is null then 'inom'
        when lined.value > lined.city_value then 'over'
        else 'under'
    end as funnel_position,
    -- moved towards the city's value by the share of its own value that is noise
    cast(lined.city_value + (lined.value - lined.city_value) * case
        when lined.between_variance + lined.chance_variance > 0
            then lined.between_variance / (lined.between_variance + lined.chance_variance)
    end as double) as value_without_noise,
    ranks.district_rank,
    case when lined.score_low is not null then ranks.district_rank_low end as district_rank_low,
    case when lined.score_low is not null then ranks.district_rank_high end as district_rank_high
from lined
inner join ranks
    on
        lined.district_basis = ranks.district_basis
        and lined.reporting_quarter = ranks.reporting_quarter
        and lined.is_year = ranks.is_year
        and lined.measure = ranks.measure
        and lined.district_code = ranks.district_code
left join flagged
    on lined.measure_key = flagged.measure_key
left join judged_pages
    on lined.districts_compared = judged_pages.districts
