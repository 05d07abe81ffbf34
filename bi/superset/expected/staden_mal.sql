select period, andel_inom_60_dagar, andel_ater, andel_tackat_ja, andel_fullfoljda from published.vy_staden
