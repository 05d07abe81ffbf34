select s.said || ' från och med ' || replace(b.reporting_quarter, 'Q', ' kv ') as avbrott, b.why_sv, b.reporting_quarter
from published.dim_break as b inner join (values
    ('mart_goal_indicators', 'completion_rate', 'Målindikatorer: avbrott i serien för Andel fullföljda'),
    ('mart_goal_indicators', 'follow_up_rate', 'Målindikatorer: avbrott i serien för Andel uppföljda'),
    ('mart_goal_indicators', 'not_started_90_days_rate', 'Målindikatorer: avbrott i serien för Andel ej påbörjade efter 90 dagar'),
    ('mart_outpatient_care', 'alla', 'Biståndsbedömd öppenvård: avbrott i serien'),
    ('mart_service_interventions', 'alla', 'Serviceinsatser: avbrott i serien')
) as s (mart, measure, said) on b.mart = s.mart and b.broken_measure = s.measure
