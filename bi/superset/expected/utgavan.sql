select key, value, string_split(value, ' / ')[1] as pa_svenska, replace(value, 'Q', ' kv ') as kvartal
from published.about where key in ('notice', 'release_id', 'released_at', 'until_quarter')
