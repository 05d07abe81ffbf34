with compared as (
    select
        measures.*,
        spread.city_value,
        spread.between_variance,
        spread.districts_compared,
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
            and measures.measure = spread.measure
    where measures.value is not null
),

limited as (
    select
        *,
        sqrt(noise_variance / sample_size) as standard_error,
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
        greatest(city_value - 1.959964 * standard_error, 0) as funnel_low,
        case
            when measure_form = 'andel' then least(city_value + 1.959964 * standard_error, 1)
            else city_value + 1.959964 * standard_error
        end as funnel_high
    from limited
),

ranks as (
    {{ district_ranks('scored', ['district_basis', 'reporting_quarter', 'measure']) }}
)

select
    scored.measure_key,
    scored.district_code,
    scored.district_basis,
    scored.reporting_quarter,
    scored.measure,
    scored.value - scored.city_value as gap,
    cast(scored.funnel_low as double) as funnel_low,
    cast(scored.funnel_high as double) as funnel_high,
    case
        when scored.funnel_low is null then null
        when scored.value > scored.funnel_high then 'over'
        when scored.value < scored.funnel_low then 'under'
        else 'inom'
    end as funnel_position,
    -- moved towards the city's value by the share of its own value that is noise
    cast(scored.city_value + (scored.value - scored.city_value) * case
        when scored.between_variance + power(scored.standard_error, 2) > 0
            then scored.between_variance / (scored.between_variance + power(scored.standard_error, 2))
    end as double) as value_without_noise,
    ranks.district_rank,
    case when scored.score_low is not null then ranks.district_rank_low end as district_rank_low,
    case when scored.score_low is not null then ranks.district_rank_high end as district_rank_high
from scored
inner join ranks
    on
        scored.district_basis = ranks.district_basis
        and scored.reporting_quarter = ranks.reporting_quarter
        and scored.measure = ranks.measure
        and scored.district_code = ranks.district_code
