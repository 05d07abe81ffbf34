-- Otherwise the rows of a file would be left out without a message.
with files as (
    {%- for staged in [
        'stg_arenden', 'stg_oppenvard', 'stg_serviceinsatser', 'stg_grupper', 'stg_utbud', 'stg_ungdomsmottagning',
        'stg_aktiviteter', 'stg_skyddsuppfoljning', 'stg_rutiner',
    ] %}
    select distinct submission_id from {{ ref(staged) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
)

select files.submission_id
from files
left join {{ ref('fct_submission') }} as submissions
    on files.submission_id = submissions.submission_id and submissions.is_in_force
where submissions.submission_id is null
