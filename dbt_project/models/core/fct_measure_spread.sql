with city as (
    select
        district_basis,
        reporting_quarter,
        is_year,
        measure,
        value as city_value,
        unit_variance as city_variance
    from {{ ref('fct_district_measure') }}
    where district_code = {{ whole_code() }} and value is not null
),

-- each district is weighted by the inverse of its chance variance: the city's variance divided by the district's size
weighted as (
    select
        measures.district_basis,
        measures.reporting_quarter,
        measures.is_year,
        measures.measure,
        measures.district_code,
        measures.value,
        city.city_value,
        city.city_variance,
        measures.measure_form,
        measures.sample_size * city.city_value as expected,
        measures.sample_size / nullif(city.city_variance, 0) as weight,
        (measures.value - city.city_value) * sqrt(measures.sample_size / nullif(city.city_variance, 0)) as deviation
    from {{ ref('fct_district_measure') }} as measures
    inner join {{ ref('dim_district') }} as districts
        on measures.district_code = districts.district_code and districts.kind = 'district'
    inner join city
        on
            measures.district_basis = city.district_basis
            and measures.reporting_quarter = city.reporting_quarter
            and measures.is_year = city.is_year
            and measures.measure = city.measure
    where measures.value is not null and measures.is_compared
),

-- the tenth of the deviations at each end are drawn in to the next: a few districts that do differ must not hide
-- themselves by widening the limits
ends as (
    select
        district_basis,
        reporting_quarter,
        is_year,
        measure,
        {{ quantile('deviation', 0.1, 'deviation is not null') }} as lowest_deviation,
        {{ quantile('deviation', 0.9, 'deviation is not null') }} as highest_deviation
    from weighted
    group by district_basis, reporting_quarter, is_year, measure
),

winsorised as (
    select
        weighted.district_basis,
        weighted.reporting_quarter,
        weighted.is_year,
        weighted.measure,
        {{ in_order(
            'avg', 'power(least(greatest(weighted.deviation, ends.lowest_deviation), ends.highest_deviation), 2)',
            'weighted.district_code'
        ) }} / {{ winsorised_square() }} as winsorised_factor,
        {{ in_order('avg', 'power(weighted.deviation, 2)', 'weighted.district_code') }} as plain_factor,
        min(weighted.measure_form) = 'per_1000'
        and {{ in_order('avg', 'weighted.expected', 'weighted.district_code') }} < 5 as is_of_small_counts
    from weighted
    inner join ends
        on
            weighted.district_basis = ends.district_basis
            and weighted.reporting_quarter = ends.reporting_quarter
            and weighted.is_year = ends.is_year
            and weighted.measure = ends.measure
    group by weighted.district_basis, weighted.reporting_quarter, weighted.is_year, weighted.measure
),

summed as (
    select
        district_basis,
        reporting_quarter,
        is_year,
        measure,
        city_value,
        city_variance,
        count(*) as districts,
        min(value) as value_lowest,
        max(value) as value_highest,
        {{ in_order('avg', 'value', 'district_code') }} as plain_mean,
        {{ in_order('stddev_samp', 'value', 'district_code') }} as plain_deviation,
        {{ in_order('sum', 'weight', 'district_code') }} as weights,
        {{ in_order('sum', 'weight * weight', 'district_code') }} as squared_weights,
        {{ in_order('sum', 'weight * value', 'district_code') }}
        / {{ in_order('sum', 'weight', 'district_code') }} as weighted_mean
    from weighted
    group by district_basis, reporting_quarter, is_year, measure, city_value, city_variance
),

deviating as (
    select
        weighted.district_basis,
        weighted.reporting_quarter,
        weighted.is_year,
        weighted.measure,
        {{ in_order(
            'sum', 'weighted.weight * power(weighted.value - summed.weighted_mean, 2)', 'weighted.district_code'
        ) }} as heterogeneity
    from weighted
    inner join summed
        on
            weighted.district_basis = summed.district_basis
            and weighted.reporting_quarter = summed.reporting_quarter
            and weighted.is_year = summed.is_year
            and weighted.measure = summed.measure
    group by weighted.district_basis, weighted.reporting_quarter, weighted.is_year, weighted.measure
),

heterogeneous as (
    select
        summed.*,
        deviating.heterogeneity,
        -- most of few counts are 0: what is left after winsorising says nothing of their spread
        case
            when winsorised.is_of_small_counts then greatest(winsorised.winsorised_factor, winsorised.plain_factor)
            else winsorised.winsorised_factor
        end as spread_factor
    from summed
    inner join deviating
        on
            summed.district_basis = deviating.district_basis
            and summed.reporting_quarter = deviating.reporting_quarter
            and summed.is_year = deviating.is_year
            and summed.measure = deviating.measure
    inner join winsorised
        on
            summed.district_basis = winsorised.district_basis
            and summed.reporting_quarter = winsorised.reporting_quarter
            and summed.is_year = winsorised.is_year
            and summed.measure = winsorised.measure
),

between_districts as (
    select
        *,
        case
            when districts > 1 and weights > 0
                then greatest(0, (heterogeneity - (districts - 1)) / (weights - squared_weights / weights))
        end as between_variance,
        case
            when districts > 1 and weights > 0
                then greatest(
                    0, (districts * spread_factor - (districts - 1)) / (weights - squared_weights / weights)
                )
            when city_variance = 0 then 0
        end as overdispersion_variance
    from heterogeneous
)

select
    district_basis || '|' || reporting_quarter || case when is_year then '|ar|' else '|' end || measure as spread_key,
    district_basis,
    reporting_quarter,
    is_year,
    measure,
    city_value,
    city_variance,
    cast(districts as integer) as districts_compared,
    value_lowest,
    value_highest,
    value_highest / nullif(value_lowest, 0) as value_ratio,
    plain_deviation / nullif(plain_mean, 0) as coefficient_of_variation,
    cast(between_variance as double) as between_variance,
    cast(case
        when between_variance is null then null
        when heterogeneity > 0 then greatest(0, 1 - (districts - 1) / heterogeneity)
        else 0
    end as double) as beyond_chance_share,
    cast(case
        when city_variance = 0 then 1
        when spread_factor is not null then greatest(1, spread_factor)
    end as double) as overdispersion_factor,
    cast(overdispersion_variance as double) as overdispersion_variance,
    cast(sqrt(between_variance) / nullif(weighted_mean, 0) as double) as coefficient_of_variation_without_noise
from between_districts
