{%- set dimensions = [['intervention_category', 'intervention_code'], ['sex'], ['age_band']] -%}
{%- set keys = ['district_code', 'counts_in_basis', 'reporting_quarter'] -%}
{%- set steps = [
    'accepted', 'linked', 'started', 'ended', 'completed', 'goal_reached', 'goal_reached_in_part', 'followed_up',
] -%}

-- 1. The episode that an accepted offer led to: the one that names the case; of several, the one with the offered
-- intervention, else the first decided
with linked as (
    select
        investigations.case_key,
        episodes.is_started,
        episodes.is_open and not episodes.is_lost as is_going_on,
        episodes.is_lost,
        episodes.end_reason,
        episodes.goal_attainment,
        episodes.is_followed_up,
        episodes.is_follow_up_open and not coalesce(episodes.is_followed_up, false) as is_follow_up_awaited
    from {{ ref('fct_investigation') }} as investigations
    inner join {{ ref('fct_outpatient_episode') }} as episodes
        on investigations.case_key = episodes.case_key
    where investigations.is_accepted
    qualify row_number() over (
        partition by investigations.case_key
        order by
            case when episodes.intervention_code = investigations.intervention_code then 0 else 1 end asc,
            episodes.decision_date asc,
            episodes.episode_key asc
    ) = 1
),

-- 2. Offers with their steps: each step counts only rows of the step before
offers as (
    select
        investigations.district_code,
        investigations.concluded_quarter as reporting_quarter,
        investigations.intervention_category,
        investigations.intervention_code,
        investigations.sex,
        investigations.age_band_at_conclusion as age_band,
        investigations.is_accepted,
        investigations.is_concluded,
        investigations.is_linkable,
        investigations.is_followed_365,
        investigations.is_returned_365,
        investigations.concluded_record_key,
        investigations.return_record_key,
        linked.case_key is not null as is_linked,
        coalesce(linked.is_lost, false) as is_lost,
        coalesce(linked.is_started, false) as is_started,
        coalesce(linked.is_started and linked.end_reason is not null, false) as is_ended,
        coalesce(linked.is_started and linked.end_reason = 'fullfoljd', false) as is_completed,
        coalesce(linked.is_started and linked.goal_attainment = 'helt', false) as is_goal_reached,
        coalesce(linked.is_started and linked.goal_attainment = 'delvis', false) as is_goal_reached_in_part,
        coalesce(linked.is_started and linked.end_reason is not null and linked.is_followed_up, false)
            as is_followed_up,
        covered.district_code is null as is_survivor,
        (not investigations.is_answered and investigations.is_ripening)
        or investigations.is_awaited_365
        or coalesce(linked.is_going_on, false)
        or coalesce(linked.is_follow_up_awaited, false)
        or (covered.district_code is null and investigations.concluded_quarter >= districts.first_known_quarter)
            as is_ripening
    from {{ ref('fct_investigation') }} as investigations
    left join linked
        on investigations.case_key = linked.case_key
    {{ join_quarter_covered('investigations', 'concluded_quarter') }}
    left join {{ ref('dim_district') }} as districts
        on investigations.district_code = districts.district_code
    where investigations.is_offered
),

unit_rows as (
    {{ numbered_rows_per_unit('offers', keys) }}
),

quarter_groups as (
    {{ distinct_groups('unit_rows', keys) }}
),

{{ groups_with_years(keys) }},

-- 3. Counts in every breakdown
quarter_cells as (
    select
        group_number,
        {{ breakdown_columns(dimensions) | indent(8) }},
        {{ count_with_key('offered', 'true', 'concluded_record_key') | indent(8) }},
        {%- for step in steps %}
        {{ count_with_key(step, 'is_' ~ step, 'concluded_record_key') | indent(8) }},
        {%- endfor %}
        {{ indicator_counts('re_referral_rate_365', 'not is_survivor') | indent(8) }},
        {{ count_where('is_lost') }} as lost,
        {{ count_where('not is_linkable') }} as unlinkable,
        bool_and(is_survivor) as is_survivors_only
    from unit_rows
    group by {{ grouping_sets(['group_number'], dimensions) | indent(4) }}
),

{{ cells_with_years(
    'cells', 'quarter_cells', dimensions, flows=['offered'] + steps + rate_count_names(['re_referral_rate_365']),
    counts=['lost', 'unlinkable']
) }}

select
    groups.district_code,
    bases.district_basis,
    {{ period_columns('groups', dimensions, 'cells') }},
    'avslutad' as cohort_basis,
    {{ dimension_columns('cells', dimensions) }},
    cells.offered,
    {%- for step in steps %}
    cells.{{ step }},
    {%- endfor %}
    {{ rate('re_referral_rate_365') | indent(4) }},
    {{ is_cohort_complete('groups', 'not groups.is_ripening') }} as is_cohort_complete,
    cells.is_survivors_only,
    {{ completeness_columns() }},
    cells.lost,
    cells.unlinkable
    {{- private_columns('cells', keys_of(['offered'] + steps + rate_count_names(['re_referral_rate_365']))) }}
from cells
{{ join_groups(dimensions) }}
{{ join_mart_completeness('groups', 'mart_intervention_chain') }}
