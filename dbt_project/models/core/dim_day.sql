select cast(day_start as date) as date_day
from generate_series(date '2000-01-01', {{ clock_date() }} + interval 1 year, interval 1 day) as series (day_start)
