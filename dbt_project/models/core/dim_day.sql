select cast(day_start as date) as date_day
from {{ date_series('interval 1 day', 'day_start') }}
