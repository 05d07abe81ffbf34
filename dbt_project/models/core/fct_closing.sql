with closings as (
    select
        *,
        {{ age_on('birth_date', 'closing_date') }} as age_at_closing
    from {{ ref('int_closings__followed') }}
),

described as (
    select
        -- ids
        closings.closing_key,
        closings.person_key,
        closings.district_code,
        closings.last_district_code,

        -- quarters
        {{ quarter_of('closings.closing_date') }} as closed_quarter,

        -- strings
        coalesce(closings.sex, 'okant') as sex,
        coalesce(areas.socioeconomic, 'okand') as socioeconomic,
        {{ age_band('closings.age_at_closing') }} as age_band_at_closing,

        -- numerics
        closings.age_at_closing,

        -- booleans
        closings.is_followed_365,
        closings.is_awaited_365,
        closings.is_returned_365,

        -- dates
        closings.closing_date,
        closings.return_date,
        closings.followed_until_date,
        cast(areas.pilot_from as date) as pilot_from_date
    from closings
    left join {{ ref('areas') }} as areas
        on closings.last_district_code = areas.district_code and closings.area_code = areas.area_code
)

select
    described.*,

    -- keys of what is counted
    {{ record_key([
        'closing_key', 'sex', 'age_band_at_closing', 'socioeconomic', 'pilot_from_date', pilot_or_line('closing_date'),
    ]) }} as record_key
from described
