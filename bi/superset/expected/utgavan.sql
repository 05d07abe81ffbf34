select
    map {'release_id': 'Utgåva', 'released_at': 'Utgiven', 'until_quarter': 'Till och med kvartal', 'notice': 'Uppgifterna är',
        'how_to_read': 'Så läses antalen'}[key] as about_label,
    if(key = 'notice' and value = '', 'Inte märkta som syntetiska.', value) as about_value
from published.about
where key in ('release_id', 'released_at', 'until_quarter', 'notice', 'how_to_read')
