select period, uppgiftstyp, sum(rader) as rader from published.vy_inlamning group by all
