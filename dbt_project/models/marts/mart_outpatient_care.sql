{%- set dimensions = [
    ['intervention_category', 'intervention_code'],
    ['target_group'],
    ['sex'],
    ['age_band'],
    ['provider'],
    ['legal_ground'],
] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set columns = dimensions | sum(start=[]) -%}
{%- set events = [
    ('decided', 'decided_quarter', 'age_band_at_decision'),
    ('started', 'started_quarter', 'age_band_at_start'),
    ('ended', 'ended_quarter', 'age_band_at_end'),
] -%}
{%- set waits = ['wait_investigation', 'wait_to_start', 'wait_total'] -%}
{%- set counts = ['decided', 'started', 'ended', 'ongoing', 'waiting'] -%}
{%- set rates = [
    'not_started_90_days_rate', 'completion_rate', 'goal_full_rate', 'goal_partial_rate', 'goal_none_rate',
    'goal_not_assessed_rate', 'follow_up_rate',
] -%}
{%- set episode_columns = [
    'episode_key', 'district_code', 'intervention_category', 'intervention_code', 'target_group', 'provider', 'sex',
    'session_count', 'wait_investigation_days', 'wait_to_start_days', 'wait_total_days', 'wait_to_start_observed_days',
    'wait_total_observed_days', 'end_reason', 'goal_attainment', 'is_started', 'is_due_90_days',
    'is_not_started_90_days', 'is_due_follow_up', 'is_followed_up', 'is_follow_up_open', 'is_lost', 'is_linkable',
] -%}

-- 1. Events: an episode has a row in the quarter of its decision, its start and its end, and one in each quarter at
-- whose end it is ongoing or waiting
with events as (
    {%- for event, quarter, age_band in events %}
    select
        episodes.{{ episode_columns | join(',\n        episodes.') }},
        episodes.legal_ground,
        '{{ event }}' as event_name,
        episodes.{{ event }}_record_key as record_key,
        {{ "episodes.end_reason <> 'ej_paborjad'" if event == 'ended' else 'false' }} as is_end_of_started,
        episodes.{{ quarter }} as reporting_quarter,
        episodes.{{ age_band }} as age_band,
        episodes.{{ quarter }} < episodes.first_known_quarter as is_survivor,
        -- can change for two quarters more, while the files hold it and can report a follow-up; the as-of date is not
        -- after that of the cases
        {{ quarter_index('episodes.' ~ quarter) }} + 2
        > {{ quarter_index('(' ~ quarter_of('episodes.as_of_date') ~ ')') }}
        and not episodes.is_lost as is_ripening
    from {{ ref('fct_outpatient_episode') }} as episodes
    where episodes.{{ quarter }} is not null

    union all
    {% endfor %}
    select
        episodes.{{ episode_columns | join(',\n        episodes.') }},
        episodes.legal_ground,
        case when stock.is_ongoing then 'ongoing' else 'waiting' end as event_name,
        stock.record_key,
        false as is_end_of_started,
        stock.reporting_quarter,
        stock.age_band_at_quarter_end as age_band,
        false as is_survivor,
        false as is_ripening
    from {{ ref('fct_outpatient_stock') }} as stock
    inner join {{ ref('fct_outpatient_episode') }} as episodes
        on stock.episode_key = episodes.episode_key
),

-- each event, once for every unit that it counts in
quarter_rows as (
    {{ numbered_rows_per_unit('events', keys) }}
),

quarter_groups as (
    {{ distinct_groups('quarter_rows', keys) }}
),

{{ groups_with_years(keys) }},

-- what is ongoing and waiting in a year is so at the end of its last quarter
unit_rows as (
    {{ rows_with_years('quarter_rows', stock="quarter_rows.event_name in ('ongoing', 'waiting')") }}
),

-- 2. Counts, rates, and durations of the waits that have ended
cells as (
    {%- for condition, listed in breakdowns_by_period(dimensions) %}
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {%- for event in counts %}
        {{ count_with_key(event, "event_name = '" ~ event ~ "'") | indent(8) }},
        {%- endfor %}
        {{ sum_with_key('sessions', 'session_count', "event_name = 'ended'") | indent(8) }},
        {{ largest_two('sessions', 'session_count', "event_name = 'ended'") | indent(8) }},
        -- an episode has a row for each of its events in the quarter
        cast(count(distinct episode_key) filter (where is_lost) as integer) as lost,
        cast(count(distinct episode_key) filter (where not is_linkable) as integer) as unlinkable,
        bool_and(is_survivor) as is_survivors_only,
        {{ indicator_counts('not_started_90_days_rate', "event_name = 'decided' and not is_survivor", 'record_key')
            | indent(8) }},
        {{ duration('wait_investigation', 'wait_investigation_days',
            "event_name = 'decided' and not is_survivor", 'record_key') | indent(8) }},
        {{ duration('wait_to_start', 'wait_to_start_days',
            "event_name = 'started' and not is_survivor", 'record_key') | indent(8) }},
        {{ duration('wait_total', 'wait_total_days',
            "event_name = 'started' and not is_survivor", 'record_key') | indent(8) }},
        {{ indicator_counts('completion_rate', 'is_end_of_started and not is_survivor', 'record_key') | indent(8) }},
        {%- for share, attainment in [
            ('full', 'helt'), ('partial', 'delvis'), ('none', 'inte'), ('not_assessed', 'ej_bedomd')
        ] %}
        {{ rate_counts_with_keys('goal_' ~ share ~ '_rate', "goal_attainment = '" ~ attainment ~ "'",
            'is_end_of_started and not is_survivor') | indent(8) }},
        {%- endfor %}
        {{ indicator_counts('follow_up_rate', 'is_end_of_started and not is_survivor', 'record_key') | indent(8) }}
    from unit_rows
    where {{ condition }}
    group by {{ grouping_sets_of(['group_number'], listed) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

-- 3. Kaplan-Meier medians of waiting: all episodes decided in the quarter, with the days that they are known to have
-- waited, those still waiting included
waited as (
    {%- for wait in ['wait_to_start', 'wait_total'] %}
    select
        group_number,
        {{ columns | join(',\n        ') }},
        is_rolling_only,
        '{{ wait }}' as wait,
        {{ wait }}_observed_days as whole_days,
        is_started
    from unit_rows
    where event_name = 'decided' and not is_survivor and {{ wait }}_observed_days is not null
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

breakdowns_by_day as (
    {%- for condition, listed in breakdowns_by_period(dimensions) %}
    select
        group_number,
        wait,
        {{ breakdown_columns(dimensions) | indent(8) }},
        whole_days,
        {{ count_where('is_started') }} as closed,
        {{ count_where('not is_started') }} as censored
    from waited
    where {{ condition }}
    group by {{ grouping_sets_of(['group_number', 'wait', 'whole_days'], listed) | indent(4) }}
    {%- if not loop.last %}

    union all
    {% endif %}
    {%- endfor %}
),

{{ cells_by_day(columns, ['wait']) }},

{{ durations(['cell_number', 'wait'], 'day_counts') }},

medians as (
    select
        cell_number,
        max(case when wait = 'wait_to_start' then km_median_days end) as wait_to_start_km_median_days,
        max(case when wait = 'wait_to_start' then km_median_days_low end) as wait_to_start_km_median_days_low,
        max(case when wait = 'wait_to_start' then km_median_days_high end) as wait_to_start_km_median_days_high,
        max(case when wait = 'wait_total' then km_median_days end) as wait_total_km_median_days,
        max(case when wait = 'wait_total' then km_median_days_low end) as wait_total_km_median_days_low,
        max(case when wait = 'wait_total' then km_median_days_high end) as wait_total_km_median_days_high
    from durations
    group by cell_number
)

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    'handelse' as cohort_basis,
    {{ dimension_columns('cells', dimensions) }},
    cells.decided,
    cells.started,
    cells.ended,
    cells.ongoing,
    cells.waiting,
    cells.sessions,
    {{ rate('not_started_90_days_rate') | indent(4) }},
    {%- for wait in waits %}
    cells.{{ wait }}_n,
    cells.{{ wait }}_mean_days,
    cells.{{ wait }}_median_days,
    cells.{{ wait }}_p90_days,
    {%- endfor %}
    medians.wait_to_start_km_median_days,
    medians.wait_to_start_km_median_days_low,
    medians.wait_to_start_km_median_days_high,
    medians.wait_total_km_median_days,
    medians.wait_total_km_median_days_low,
    medians.wait_total_km_median_days_high,
    {{ rate('completion_rate') | indent(4) }},
    {%- for rate_name in rates[2:] %}
    {{ rate(rate_name) | indent(4) }},
    {%- endfor %}
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of(
        counts + ['sessions', 'wait_investigation_n', 'wait_to_start_n', 'wait_total_n'] + rate_count_names(rates)
    ) + ['sessions__largest', 'sessions__second'] + sum_names(waits)) }}
from numbered_cells as cells
{{ join_groups(dimensions) }}
left join medians
    on cells.cell_number = medians.cell_number
{{ join_completeness('groups', 'oppenvard') }}
where {{ has_ground('cells', 'groups') }}
