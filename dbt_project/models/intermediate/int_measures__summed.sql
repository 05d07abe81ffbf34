{{ config(materialized='view') }}

{%- set bands = [
    'waited_0_7_days_count', 'waited_8_14_days_count', 'waited_15_30_days_count', 'waited_31_90_days_count',
    'waited_over_90_days_count',
] -%}

-- Sums of one unit and quarter. They are not divided here, so that units can be added up first.
select
    measure,
    district_code,
    reporting_quarter,
    numerator,
    denominator,
    square_sum,
    {{ bands | join(',\n    ') }},
    is_ripening
from {{ ref('int_wait_measures__summed') }}
{%- for model in ['int_indicator_measures__summed', 'int_supply_measures__summed', 'int_service_measures__summed'] %}

union all

select
    measure,
    district_code,
    reporting_quarter,
    numerator,
    denominator,
    cast(null as double) as square_sum,
    {%- for band in bands %}
    0 as {{ band }},
    {%- endfor %}
    is_ripening
from {{ ref(model) }}
{%- endfor %}
