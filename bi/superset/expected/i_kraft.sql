select period, stadsdel, sum(forvantade_filer) as forvantade_filer, sum(filer_i_kraft) as filer_i_kraft,
    sum(filer_i_tid) as filer_i_tid, sum(forvantade_filer - filer_i_kraft) as saknade_filer
from published.vy_inlamning group by all
