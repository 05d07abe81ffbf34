{#-
    Durations, from counts by whole day: of what has ended (`closed`) and of what was still going on when last known
    (`censored`). Expects the CTE `day_counts`, one row per cell and day: the columns of `cell`, `whole_days`, `closed`,
    `censored`. Makes the CTE `durations`, one row per cell: of the closed only `closed_n`, `closed_mean_days`,
    `closed_median_days`, `closed_p90_days` and their two longest days `closed_largest` and `closed_second` (0 where there
    are none), and of all `km_median_days`, `km_median_days_low` and `km_median_days_high`. Whole days; quantiles are null of
    too few (`least_n`).

    Kaplan-Meier (E. L. Kaplan, P. Meier, JASA 53, 1958): the share still going on after day t is the product, over the
    days up to t, of 1 - closed / at risk; those censored on a day are at risk on that day. The median is the first day
    on which the share is a half or less; null while more than half are not known to have ended.
    Its 95 % interval (R. Brookmeyer, J. Crowley, Biometrics 38, 1982) is from the first day on which the share's lower
    limit is a half or less to the first on which its upper limit is; null where that is past what is known. The limits are
    those of ln(-ln(share)), with Greenwood's variance: sum of closed / (at risk * (at risk - closed)).
    The quantiles of the closed are interpolated between neighbours, as `quantile_cont` does.
-#}
{% macro durations(cell, day_counts) -%}
{%- set cell_columns = cell | join(', ') -%}
summed_by_day as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        censored,
        cast(sum(closed) over so_far as integer) as closed_so_far,
        cast(sum(closed) over in_all as integer) as closed_n,
        cast(sum(closed + censored) over so_far as integer) as gone_so_far,
        cast(sum(closed + censored) over in_all as integer) as known_n
    from {{ day_counts }}
    window
        so_far as (
            partition by {{ cell_columns }} order by whole_days rows between unbounded preceding and current row
        ),
        in_all as (
            partition by {{ cell_columns }} order by whole_days rows between unbounded preceding and unbounded following
        )
),

risked as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        closed_n,
        closed_so_far,
        known_n,
        known_n - gone_so_far + closed + censored as at_risk
    from summed_by_day
),

surviving as (
    select
        {{ cell_columns }},
        whole_days,
        closed,
        closed_n,
        closed_so_far,
        known_n,
        -- the product as a sum of logarithms; after a day on which all at risk ended, the share is 0
        case
            when at_risk = closed then 0e0
            else exp(sum(case when at_risk > closed then ln((at_risk - closed) / cast(at_risk as double)) else 0e0 end) over so_far)
        end as surviving_share,
        sum(case when at_risk > closed then closed / (cast(at_risk as double) * (at_risk - closed)) else 0e0 end) over so_far
            as greenwood_sum
    from risked
    window so_far as (
        partition by {{ cell_columns }} order by whole_days rows between unbounded preceding and current row
    )
),

limited as (
    select
        *,
        -- standard errors from the share to a half; all go on at 1, and none at 0
        case
            when surviving_share > 0 and greenwood_sum > 0
                then (ln(-ln(surviving_share)) - ln(ln(2e0))) * -ln(surviving_share) / sqrt(greenwood_sum)
        end as errors_past_half
    from surviving
),

durations as (
    select
        {{ cell_columns }},
        cast(max(closed_n) as integer) as closed_n,
        {{ whole_days('sum(closed * whole_days) / cast(nullif(max(closed_n), 0) as double)') }} as closed_mean_days,
        {{ shown_quantile('median', '(' ~ quantile_of_counts(0.5) ~ ')', 'max(closed_n)') | indent(8) }}
            as closed_median_days,
        {{ shown_quantile('p90', '(' ~ quantile_of_counts(0.9) ~ ')', 'max(closed_n)') | indent(8) }} as closed_p90_days,
        coalesce(min(case when closed_n > 0 and closed_so_far = closed_n then whole_days end), 0) as closed_largest,
        coalesce(min(case when closed_n > 1 and closed_so_far >= closed_n - 1 then whole_days end), 0) as closed_second,
        {#- rounding must not move a share of exactly a half -#}
        {%- for column, is_past in [
            ('km_median_days', 'surviving_share <= 0.5 + 1e-9'),
            ('km_median_days_low', 'surviving_share = 0 or errors_past_half >= -1.959963984540054e0'),
            ('km_median_days_high', 'surviving_share = 0 or errors_past_half > 1.959963984540054e0'),
        ] %}
        case
            when max(known_n) >= {{ least_n().median }} then min(case when {{ is_past }} then whole_days end)
        end as {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from limited
    group by {{ cell_columns }}
)
{%- endmacro %}

{#- A quantile of days given with their counts: the value at place (n - 1) * share from 0, interpolated between two. -#}
{% macro quantile_of_counts(share) -%}
    {%- set place = '((closed_n - 1) * ' ~ share ~ 'e0)' -%}
    min(case when closed_so_far > floor{{ place }} then cast(whole_days as double) end)
    + (
        min(case when closed_so_far > ceil{{ place }} then cast(whole_days as double) end)
        - min(case when closed_so_far > floor{{ place }} then cast(whole_days as double) end)
    ) * max({{ place }} - floor{{ place }})
{%- endmacro %}

{#-
    The CTEs `numbered_cells` (`cells` with a number) and `day_counts` (`breakdowns_by_day`, with that number in place of
    `group_number` and `columns`). `durations` sorts the days cell by cell: one number sorts faster than many columns.
    `also` are further columns of `breakdowns_by_day`.
-#}
{% macro cells_by_day(columns, also=[]) -%}
numbered_cells as (
    select
        *,
        {{ row_name(['group_number'] + columns) }} as cell_number
    from cells
),

day_counts as (
    select
        numbered_cells.cell_number,
        {%- for column in also %}
        breakdowns_by_day.{{ column }},
        {%- endfor %}
        breakdowns_by_day.whole_days,
        breakdowns_by_day.closed,
        breakdowns_by_day.censored
    from breakdowns_by_day
    inner join numbered_cells
        on
            breakdowns_by_day.group_number = numbered_cells.group_number
            {%- for column in columns %}
            and breakdowns_by_day.{{ column }} = numbered_cells.{{ column }}
            {%- endfor %}
)
{%- endmacro %}
