select period, alder, sum(erbjudna_insats) as erbjudna_insats from published.vy_erbjudna_kon_alder group by all
