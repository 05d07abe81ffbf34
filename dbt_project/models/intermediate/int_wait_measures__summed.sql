{{ config(materialized='view') }}

{%- set bands = [
    'waited_0_7_days_count', 'waited_8_14_days_count', 'waited_15_30_days_count', 'waited_31_90_days_count',
    'waited_over_90_days_count',
] -%}

-- how long those waited who began in the quarter
with waits as (
    select
        wait_kind,
        district_code,
        reporting_quarter,
        sum(wait_sum_days) as wait_sum_days,
        sum(wait_summed_count) as wait_summed_count,
        -- the spread is exact where each wait is reported, else it is computed from the bands
        sum(cast(wait_days as double) * wait_days) as square_sum,
        {%- for band in bands %}
        sum({{ band }}) as {{ band }},
        {%- endfor %}
        sum(wait_known_count) as wait_known_count
    from {{ ref('fct_wait') }}
    where wait_known_count > 0 or wait_summed_count > 0
    group by wait_kind, district_code, reporting_quarter
),

waited as (
    select
        wait_kind || '_wait_mean' as measure,
        district_code,
        reporting_quarter,
        wait_sum_days as numerator,
        wait_summed_count as denominator,
        square_sum,
        {{ bands | join(',\n        ') }}
    from waits

    union all

    select
        wait_kind || '_wait_grouped_median' as measure,
        district_code,
        reporting_quarter,
        0 as numerator,
        wait_known_count as denominator,
        null as square_sum,
        {{ bands | join(',\n        ') }}
    from waits
    where wait_kind <> 'parenting_programme'
)

select
    waited.measure,
    waited.district_code,
    waited.reporting_quarter,
    cast(waited.numerator as double) as numerator,
    cast(waited.denominator as double) as denominator,
    waited.square_sum,
    waited.{{ bands | join(',\n    waited.') }},
    -- without the quarter's own file, only the waits that later files report are known
    covered.district_code is null as is_ripening
from waited
inner join {{ ref('equity_measures') }} as measures
    on waited.measure = measures.measure
left join {{ ref('fct_quarter_covered') }} as covered
    on
        waited.district_code = covered.district_code
        and waited.reporting_quarter = covered.reporting_quarter
        and measures.dataset = covered.dataset
