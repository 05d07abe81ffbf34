{%- set bands = [
    'waited_0_7_days', 'waited_8_14_days', 'waited_15_30_days', 'waited_31_90_days', 'waited_over_90_days',
] -%}

with units as (
    select
        membership.district_code as reporting_code,
        membership.counts_in_code as district_code,
        bases.district_basis
    from {{ ref('dim_district_membership') }} as membership
    inner join {{ district_bases() }}
        on membership.counts_in_basis in ('both', bases.district_basis)
),

quarter_measures as (
    select * from {{ ref('int_measures__summed') }}
),

measures as (
    {{ in_periods('quarter_measures') }}
),

-- in a year, what is so at the end of a quarter is that of the last one (`dim_measure`); all else is summed
summed as (
    select
        units.district_code,
        units.district_basis,
        measures.reporting_quarter,
        measures.is_year,
        measures.measure,
        sum(case when measures.is_last_quarter or known.numerator_over_year = 'summa' then measures.numerator end)
            as numerator,
        sum(case when measures.is_last_quarter or known.denominator_over_year = 'summa' then measures.denominator end)
            as denominator,
        {%- for band in bands %}
        sum(measures.{{ band }}_count) as {{ band }},
        sum(measures.{{ band }}_count) as {{ band }}_count,
        {%- endfor %}
        sum(measures.square_sum) as square_sum,
        bool_or(measures.is_ripening) as is_ripening
    from measures
    inner join units
        on measures.district_code = units.reporting_code
    inner join {{ ref('dim_measure') }} as known
        on measures.measure = known.measure
    group by
        units.district_code,
        units.district_basis,
        measures.reporting_quarter,
        measures.is_year,
        measures.measure
),

described as (
    select
        summed.*,
        known.measure_form,
        -- a year with a quarter missing is shown, but not compared with whole ones
        not summed.is_year or coalesce(completeness.quarters_in_force, 0) = 4 as is_compared,
        summed.waited_0_7_days + summed.waited_8_14_days + summed.waited_15_30_days + summed.waited_31_90_days
        + summed.waited_over_90_days as banded_n,
        -- the size that chance variation depends on: those counted, or thousands of inhabitants
        summed.denominator / case when known.measure_form = 'per_1000' then 1000 else 1 end as sample_size
    from summed
    inner join {{ ref('dim_measure') }} as known
        on summed.measure = known.measure
    left join {{ ref('fct_completeness') }} as completeness
        on
            summed.district_code = completeness.district_code
            and summed.district_basis = completeness.district_basis
            and summed.reporting_quarter = completeness.reporting_quarter
            and summed.is_year = completeness.is_year
            and known.dataset = completeness.dataset
    where summed.denominator > 0
),

valued as (
    select
        *,
        case
            -- a median of a few is these few's own days
            when measure_form = 'median' and denominator < {{ least_n().median }} then null
            when measure_form = 'median' then {{ grouped_median_days('denominator') | indent(16) }}
            -- a share above 1 is none: for example more followed up than ended
            when measure_form = 'andel' and numerator > denominator then null
            else numerator / sample_size
        end as value
    from described
)

select
    district_code || '|' || district_basis || '|' || reporting_quarter || case when is_year then '|ar|' else '|' end
    || measure as measure_key,
    district_code,
    district_basis,
    reporting_quarter,
    is_year,
    measure,
    measure_form,
    numerator,
    denominator,
    sample_size,
    cast(value as double) as value,
    is_ripening,
    is_compared,
    -- the variance of one observation, by the form of the measure
    cast(case measure_form
        when 'andel' then value * (1 - value)
        when 'per_1000' then value
        when 'median' then {{ grouped_median_variance('denominator') | indent(8) }}
        else case
            when square_sum is not null then greatest(square_sum / denominator - value * value, 0)
            when banded_n > 0 then {{ grouped_variance('banded_n', 'value') | indent(16) }}
        end
    end as double) as unit_variance
from valued
