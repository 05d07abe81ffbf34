{%- set dimensions = [['reason_side'], ['sex'], ['age_band'], ['socioeconomic']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set columns = dimensions | sum(start=[]) -%}

-- 1. Investigations by day: how many took so many days, or have been open so many
with finest as (
    select
        investigations.district_code,
        investigations.started_quarter as reporting_quarter,
        investigations.reason_side,
        investigations.sex,
        investigations.age_band_at_start as age_band,
        investigations.socioeconomic,
        investigations.observed_days as whole_days,
        {{ count_with_key('investigations', 'true', 'investigations.started_record_key') | indent(8) }},
        {{ count_with_key('closed', 'investigations.is_concluded', 'investigations.started_record_key') | indent(8) }},
        {{ count_where('investigations.is_lost') }} as lost,
        {{ count_where('not investigations.is_linkable') }} as unlinkable
    from {{ ref('fct_investigation') }} as investigations
    group by 1, 2, 3, 4, 5, 6, 7
),

flagged as (
    select
        finest.*,
        -- without a file of the quarter, only the rows that later files still hold are known
        covered.district_code is null as is_survivor,
        -- open ones can still change; so can a quarter whose file is missing and can still come
        finest.investigations > finest.closed + finest.lost
        or (covered.district_code is null and finest.reporting_quarter >= districts.first_known_quarter)
            as is_ripening
    from finest
    {{ join_quarter_covered('finest', 'reporting_quarter') }}
    left join {{ ref('dim_district') }} as districts
        on finest.district_code = districts.district_code
),

quarter_rows as (
    {{ numbered_rows_per_unit('flagged', keys) }}
),

quarter_groups as (
    {{ distinct_groups('quarter_rows', keys) }}
),

{{ groups_with_years(keys) }},

unit_rows as (
    {{ rows_with_years('quarter_rows') }}
),

-- 2. Counts in every breakdown
cells as (
    {%- for condition, listed in breakdowns_by_period(dimensions) %}
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ sum_cells_with_key('investigations') | indent(8) }},
        {{ sum_cells_with_key('concluded', count='closed') | indent(8) }},
        {{ key_sum('closed__key', 'not is_survivor') }} as investigation_time_n__key,
        {{ sum_of('closed * whole_days', 'not is_survivor') }} as investigation_time__sum,
        {{ key_sum('(closed__key * whole_days & 4294967295)', 'not is_survivor') }} as investigation_time__sum__key,
        {{ sum_of('lost') }} as lost,
        {{ sum_of('unlinkable') }} as unlinkable,
        bool_and(is_survivor) as is_survivors_only
    from unit_rows
    where {{ condition }}
    group by {{ grouping_sets_of(['group_number'], listed) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- 3. Durations, from the same counts by day
breakdowns_by_day as (
    {%- for condition, listed in breakdowns_by_period(dimensions) %}
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        whole_days,
        {{ sum_of('closed') }} as closed,
        {{ sum_of('investigations - closed') }} as censored
    from unit_rows
    where not is_survivor and {{ condition }}
    group by {{ grouping_sets_of(['group_number', 'whole_days'], listed) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

{{ cells_by_day(columns) }},

{{ durations(['cell_number'], 'day_counts') }}

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    'paborjad' as cohort_basis,
    {{ dimension_columns('cells', dimensions) }},
    cells.investigations,
    cells.concluded,
    coalesce(durations.closed_n, 0) as investigation_time_n,
    durations.closed_mean_days as investigation_time_mean_days,
    durations.closed_median_days as investigation_time_median_days,
    durations.closed_p90_days as investigation_time_p90_days,
    durations.km_median_days as investigation_time_km_median_days,
    durations.km_median_days_low as investigation_time_km_median_days_low,
    durations.km_median_days_high as investigation_time_km_median_days_high,
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of(['investigations', 'concluded', 'investigation_time_n'])
        + with_keys(['investigation_time__sum'])) }},
    coalesce(durations.closed_largest, 0) as investigation_time__largest,
    coalesce(durations.closed_second, 0) as investigation_time__second
from numbered_cells as cells
{{ join_groups(dimensions) }}
left join durations
    on cells.cell_number = durations.cell_number
{{ join_completeness('groups', 'arenden') }}
