select
    period_kind as periodtyp,
    period,
    pilot_start_date as start_for_piloten,
    indicator_code as mal,
    pilot_before_rate as pilot_fore,
    pilot_after_rate as pilot_efter,
    line_before_rate as ovriga_fore,
    line_after_rate as ovriga_efter,
    100 * difference_in_differences as skillnad_i_forandring,
    100 * difference_in_differences_low as skillnad_i_forandring_lag,
    100 * difference_in_differences_high as skillnad_i_forandring_hog,
    comparison_status as kan_jamforas,
    (
        pilot_before_rate is null
        or pilot_after_rate is null
        or line_before_rate is null
        or line_after_rate is null
    ) as for_fa,
    is_provisional as preliminar
from published.mart_pilot_effect
where cut = 'total'
