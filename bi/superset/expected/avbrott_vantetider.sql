select s.said || ' från och med ' || replace(b.reporting_quarter, 'Q', ' kv ') as avbrott, b.why_sv, b.reporting_quarter
from published.dim_break as b inner join (values
    ('mart_waiting_times', 'alla', 'Väntetider: avbrott i serien')
) as s (mart, measure, said) on b.mart = s.mart and b.broken_measure = s.measure
